#include "description.h"

#include "error.h"
#include "files.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const double LARGEST_INTEGER = 9007199254740992.0; // 2^53

static onnxhead_status malformed(const char *folder, const char *reason, onnxhead_error *error) {
    return onnxhead_fail_malformed(error, folder, "head.json", reason);
}

static const char *text_at(const cJSON *object, const char *key) {
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
}

/* Returns 0, which no count of a head is, for what is no count. */
static size_t count_at(const cJSON *object, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!cJSON_IsNumber(item) || item->valuedouble < 1 || item->valuedouble > LARGEST_INTEGER) {
        return 0;
    }
    const size_t count = (size_t)item->valuedouble;
    return (double)count == item->valuedouble ? count : 0;
}

static bool read_names(const cJSON *array, size_t count, const char **names) {
    if (!cJSON_IsArray(array) || (size_t)cJSON_GetArraySize(array) != count) {
        return false;
    }
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, array) {
        if (!cJSON_IsString(item)) {
            return false;
        }
        *names++ = item->valuestring;
    }
    return true;
}

static bool read_link(const char *text, onnxhead_link *link) {
    static const struct {
        const char *text;
        onnxhead_link link;
    } links[] = {
        {"softmax", ONNXHEAD_SOFTMAX}, {"sigmoid", ONNXHEAD_SIGMOID}, {"ovr", ONNXHEAD_OVR}};
    for (size_t i = 0; text != NULL && i < sizeof links / sizeof *links; i++) {
        if (strcmp(text, links[i].text) == 0) {
            *link = links[i].link;
            return true;
        }
    }
    return false;
}

static bool read_label(const cJSON *item, onnxhead_label *label) {
    if (cJSON_IsString(item)) {
        label->type = ONNXHEAD_TEXT;
        label->value.text = item->valuestring;
    } else if (cJSON_IsNumber(item)) {
        label->type = ONNXHEAD_NUMBER;
        label->value.number = item->valuedouble;
    } else {
        label->type = ONNXHEAD_BOOLEAN;
        label->value.boolean = cJSON_IsTrue(item);
        return cJSON_IsBool(item);
    }
    return true;
}

static bool is_same_label(const onnxhead_label *one, const onnxhead_label *other) {
    if (one->type != other->type) {
        return false;
    }
    switch (one->type) {
    case ONNXHEAD_TEXT:
        return strcmp(one->value.text, other->value.text) == 0;
    case ONNXHEAD_NUMBER:
        return one->value.number == other->value.number;
    default:
        return one->value.boolean == other->value.boolean;
    }
}

bool onnxhead_is_label(const cJSON *item, const onnxhead_label *label) {
    onnxhead_label stated;
    return read_label(item, &stated) && is_same_label(&stated, label);
}

static onnxhead_status read_labels(const char *folder, onnxhead_description *description,
                                   onnxhead_error *error) {
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(description->document, "labels");
    description->classes = count_at(description->document, "classes");
    if (description->classes == 0 || !cJSON_IsArray(array) ||
        (size_t)cJSON_GetArraySize(array) != description->classes) {
        return malformed(folder, "labels: it must have one per class", error);
    }
    description->labels = calloc(description->classes, sizeof *description->labels);
    if (description->labels == NULL) {
        return onnxhead_fail_memory(error);
    }
    onnxhead_label *label = description->labels;
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, array) {
        if (!read_label(item, label++)) {
            return malformed(folder, "labels: one is neither text, number nor boolean", error);
        }
    }
    return ONNXHEAD_OK;
}

static onnxhead_status parse_document(const char *folder, onnxhead_description *description,
                                      onnxhead_error *error) {
    char *path = onnxhead_join(folder, "head.json");
    if (path == NULL) {
        return onnxhead_fail_memory(error);
    }
    size_t size = 0;
    char *text = onnxhead_read_file(path, &size);
    const int cause = errno;
    free(path);
    if (text == NULL && (cause == ENOENT || cause == ENOTDIR)) {
        return onnxhead_fail(error, ONNXHEAD_BAD_BUNDLE,
                             "a bundle must have a head.json, %s has none: name the bundle's "
                             "folder, or copy the bundle again, as a whole",
                             folder);
    }
    if (text == NULL) {
        return onnxhead_fail_unreadable(error, folder, "head.json", cause);
    }
    description->document = cJSON_ParseWithOpts(text, NULL, true);
    free(text);
    return description->document == NULL ? malformed(folder, "it is no JSON", error) : ONNXHEAD_OK;
}

static onnxhead_status check_format(const char *folder, const cJSON *document,
                                    onnxhead_error *error) {
    const char *format = text_at(document, "format");
    if (format == NULL) {
        return malformed(folder, "format: it must be text", error);
    }
    if (strcmp(format, "1") != 0) {
        return onnxhead_fail(error, ONNXHEAD_BAD_BUNDLE,
                             "this client reads bundles of format 1, %s states %s: ship it again "
                             "with the onnxhead that this client came with",
                             folder, format);
    }
    return ONNXHEAD_OK;
}

static onnxhead_status check_hash(const char *folder, const cJSON *stated, onnxhead_error *error) {
    if (!cJSON_IsString(stated)) {
        return malformed(folder, "sha256: a hash must be text", error);
    }
    char *path = onnxhead_join(folder, stated->string);
    if (path == NULL) {
        return onnxhead_fail_memory(error);
    }
    char digest[ONNXHEAD_SHA256_SIZE];
    const bool read = onnxhead_sha256(path, digest);
    const int cause = errno;
    free(path);
    if (!read) {
        return onnxhead_fail_unreadable(error, folder, stated->string, cause);
    }
    if (strcmp(digest, stated->valuestring) != 0) {
        return onnxhead_fail(error, ONNXHEAD_BAD_BUNDLE,
                             "%s must be the file that was shipped, its SHA-256 is %s and "
                             "head.json states %s: copy the bundle again, as a whole",
                             stated->string, digest, stated->valuestring);
    }
    return ONNXHEAD_OK;
}

static onnxhead_status check_hashes(const char *folder, const cJSON *document,
                                    onnxhead_error *error) {
    const cJSON *hashes = cJSON_GetObjectItemCaseSensitive(document, "sha256");
    if (cJSON_GetObjectItemCaseSensitive(hashes, text_at(document, "model")) == NULL) {
        return malformed(folder, "sha256: it must have the model", error);
    }
    const cJSON *stated = NULL;
    cJSON_ArrayForEach(stated, hashes) {
        const onnxhead_status status = check_hash(folder, stated, error);
        if (status != ONNXHEAD_OK) {
            return status;
        }
    }
    return ONNXHEAD_OK;
}

static onnxhead_status read_model(const char *folder, onnxhead_description *description,
                                  onnxhead_error *error) {
    const cJSON *document = description->document;
    const char *model = text_at(document, "model");
    if (model == NULL) {
        return malformed(folder, "model: it must be text", error);
    }
    if (!read_names(cJSON_GetObjectItemCaseSensitive(document, "inputs"), 1, &description->input) ||
        !read_names(cJSON_GetObjectItemCaseSensitive(document, "outputs"), 2,
                    description->outputs)) {
        return malformed(folder, "inputs, outputs: they must be one name and two", error);
    }
    description->features = count_at(document, "features");
    if (description->features == 0) {
        return malformed(folder, "features: it must be a count", error);
    }
    if (!read_link(text_at(document, "link"), &description->link)) {
        return malformed(folder, "link: it must be softmax, sigmoid or ovr", error);
    }
    description->model = onnxhead_join(folder, model);
    return description->model == NULL ? onnxhead_fail_memory(error) : ONNXHEAD_OK;
}

onnxhead_status onnxhead_read_description(const char *folder, onnxhead_description *description,
                                          onnxhead_error *error) {
    onnxhead_status status = parse_document(folder, description, error);
    if (status == ONNXHEAD_OK) {
        status = check_format(folder, description->document, error);
    }
    if (status == ONNXHEAD_OK) {
        status = read_model(folder, description, error);
    }
    if (status == ONNXHEAD_OK) {
        status = read_labels(folder, description, error);
    }
    if (status == ONNXHEAD_OK) {
        status = check_hashes(folder, description->document, error);
    }
    return status;
}

static bool has_labels(const onnxhead_description *description, const cJSON *array) {
    if (!cJSON_IsArray(array) || (size_t)cJSON_GetArraySize(array) != description->classes) {
        return false;
    }
    const onnxhead_label *label = description->labels;
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, array) {
        if (!onnxhead_is_label(item, label++)) {
            return false;
        }
    }
    return true;
}

static bool has_numbers(const onnxhead_description *description) {
    for (size_t i = 0; i < description->classes; i++) {
        const onnxhead_label number = {ONNXHEAD_NUMBER, {.number = (double)i}};
        if (!is_same_label(&description->labels[i], &number)) {
            return false;
        }
    }
    return true;
}

onnxhead_status onnxhead_check_labels(const onnxhead_description *description, const char *metadata,
                                      onnxhead_error *error) {
    cJSON *array = metadata == NULL ? NULL : cJSON_Parse(metadata);
    const bool same = metadata == NULL ? has_numbers(description) : has_labels(description, array);
    cJSON_Delete(array);
    if (!same) {
        return onnxhead_fail(error, ONNXHEAD_BAD_BUNDLE,
                             "the labels in head.json must be those in the model's metadata, they "
                             "are others: copy the bundle again, as a whole");
    }
    return ONNXHEAD_OK;
}

void onnxhead_free_description(onnxhead_description *description) {
    free(description->labels);
    free(description->model);
    cJSON_Delete(description->document);
}
