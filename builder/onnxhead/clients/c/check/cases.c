#include "cases.h"

#include "error.h"
#include "files.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Reads a file of a folder; a failure names it. */
static onnxhead_status read_file(const char *folder, const char *name, char **bytes, size_t *size,
                                 onnxhead_error *error) {
    char *path = onnxhead_join(folder, name);
    if (path == NULL) {
        return onnxhead_fail_memory(error);
    }
    *bytes = onnxhead_read_file(path, size);
    const int cause = errno;
    free(path);
    return *bytes == NULL ? onnxhead_fail_unreadable(error, folder, name, cause) : ONNXHEAD_OK;
}

/* Reads little-endian floats as they are, which is the order of every processor in question. */
static onnxhead_status read_floats(const char *folder, const char *name, float **floats,
                                   size_t *count, onnxhead_error *error) {
    char *bytes = NULL;
    size_t size = 0;
    const onnxhead_status status = read_file(folder, name, &bytes, &size, error);
    *floats = (float *)(void *)bytes;
    *count = size / sizeof **floats;
    return status;
}

static onnxhead_status read_case(const char *folder, const onnxhead_classifier *classifier,
                                 check_case *read, onnxhead_error *error) {
    const struct {
        const char *name;
        float **floats;
    } answers[] = {{"logits.f32", &read->logits},
                   {"probabilities.f32", &read->probabilities},
                   {"logits_tolerance.f32", &read->logits_tolerance},
                   {"probabilities_tolerance.f32", &read->probabilities_tolerance}};
    size_t count = 0;
    onnxhead_status status = read_floats(folder, "features.f32", &read->features, &count, error);
    read->rows = count / onnxhead_get_features(classifier);
    if (status == ONNXHEAD_OK && count != read->rows * onnxhead_get_features(classifier)) {
        status = onnxhead_fail_malformed(error, folder, "features.f32", "rows of another width");
    }
    for (size_t i = 0; status == ONNXHEAD_OK && i < sizeof answers / sizeof *answers; i++) {
        status = read_floats(folder, answers[i].name, answers[i].floats, &count, error);
        if (status == ONNXHEAD_OK && count != read->rows * onnxhead_get_classes(classifier)) {
            status = onnxhead_fail_malformed(error, folder, answers[i].name,
                                             "it must have one answer per row and class");
        }
    }
    if (status == ONNXHEAD_OK && (size_t)cJSON_GetArraySize(read->labels) != read->rows) {
        status = onnxhead_fail_malformed(error, folder, "features.f32",
                                         "vectors.json has labels for another number of rows");
    }
    return status;
}

static onnxhead_status read_document(const char *folder, check_cases *cases,
                                     onnxhead_error *error) {
    char *text = NULL;
    size_t size = 0;
    const onnxhead_status status = read_file(folder, "vectors.json", &text, &size, error);
    if (status != ONNXHEAD_OK) {
        return status;
    }
    cases->document = cJSON_ParseWithOpts(text, NULL, true);
    free(text);
    const cJSON *documents = cJSON_GetObjectItemCaseSensitive(cases->document, "cases");
    if (cases->document == NULL) {
        return onnxhead_fail_malformed(error, folder, "vectors.json", "it is no JSON");
    }
    if (!cJSON_IsArray(documents) || cJSON_GetArraySize(documents) == 0) {
        return onnxhead_fail_malformed(error, folder, "vectors.json", "it has no cases");
    }
    cases->items = calloc((size_t)cJSON_GetArraySize(documents), sizeof *cases->items);
    if (cases->items == NULL) {
        return onnxhead_fail_memory(error);
    }
    const cJSON *document = NULL;
    cJSON_ArrayForEach(document, documents) {
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(document, "name"));
        const cJSON *labels = cJSON_GetObjectItemCaseSensitive(document, "labels");
        if (name == NULL || !cJSON_IsArray(labels)) {
            return onnxhead_fail_malformed(error, folder, "vectors.json",
                                           "a case must have a name and labels");
        }
        cases->items[cases->count++] = (check_case){.name = name, .labels = labels};
    }
    return ONNXHEAD_OK;
}

onnxhead_status read_cases(const char *folder, const onnxhead_classifier *classifier,
                           check_cases *cases, onnxhead_error *error) {
    onnxhead_status status = read_document(folder, cases, error);
    for (size_t i = 0; status == ONNXHEAD_OK && i < cases->count; i++) {
        char data_set[40];
        snprintf(data_set, sizeof data_set, "test_data_set_%zu", i);
        char *path = onnxhead_join(folder, data_set);
        status = path == NULL ? onnxhead_fail_memory(error)
                              : read_case(path, classifier, &cases->items[i], error);
        free(path);
    }
    return status;
}

void free_cases(check_cases *cases) {
    for (size_t i = 0; i < cases->count; i++) {
        free(cases->items[i].features);
        free(cases->items[i].logits);
        free(cases->items[i].probabilities);
        free(cases->items[i].logits_tolerance);
        free(cases->items[i].probabilities_tolerance);
    }
    free(cases->items);
    cJSON_Delete(cases->document);
}
