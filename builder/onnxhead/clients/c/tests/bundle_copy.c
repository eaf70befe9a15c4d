#include "bundle_copy.h"

#include "files.h"
#include "testing.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_file(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

/* Calls a function with the name of every file of a folder. */
static void each_file(const char *folder, const bundle_copy *copy,
                      void (*visit)(const bundle_copy *, const char *name)) {
    DIR *directory = opendir(folder);
    assert(directory != NULL);
    const struct dirent *entry = NULL;
    while ((entry = readdir(directory)) != NULL) {
        char *path = onnxhead_join(folder, entry->d_name);
        if (is_file(path)) {
            visit(copy, entry->d_name);
        }
        free(path);
    }
    closedir(directory);
}

static char *read_file(const char *folder, const char *name, size_t *size) {
    char *path = onnxhead_join(folder, name);
    char *bytes = onnxhead_read_file(path, size);
    assert(bytes != NULL);
    free(path);
    return bytes;
}

static void copy_file(const bundle_copy *copy, const char *name) {
    size_t size = 0;
    char *bytes = read_file(BUNDLE, name, &size);
    write_file(copy, name, bytes, size);
    free(bytes);
}

static void remove_file(const bundle_copy *copy, const char *name) {
    char *path = onnxhead_join(copy->folder, name);
    remove(path);
    free(path);
}

bundle_copy empty_bundle(void) {
    bundle_copy copy = {"/tmp/onnxhead-XXXXXX"};
    assert(mkdtemp(copy.folder) != NULL);
    return copy;
}

bundle_copy copy_bundle(void) {
    const bundle_copy copy = empty_bundle();
    each_file(BUNDLE, &copy, copy_file);
    return copy;
}

void remove_bundle(const bundle_copy *copy) {
    each_file(copy->folder, copy, remove_file);
    rmdir(copy->folder);
}

void write_file(const bundle_copy *copy, const char *name, const char *bytes, size_t size) {
    char *path = onnxhead_join(copy->folder, name);
    FILE *file = fopen(path, "wb");
    assert(file != NULL);
    assert(fwrite(bytes, 1, size, file) == size);
    fclose(file);
    free(path);
}

void append_byte(const bundle_copy *copy, const char *name) {
    size_t size = 0;
    char *bytes = read_file(copy->folder, name, &size);
    write_file(copy, name, bytes, size + 1); // its zero
    free(bytes);
}

void change_description(const bundle_copy *copy, const char *key, cJSON *value) {
    size_t size = 0;
    char *text = read_file(copy->folder, "head.json", &size);
    cJSON *document = cJSON_Parse(text);
    assert(cJSON_ReplaceItemInObjectCaseSensitive(document, key, value));
    char *changed = cJSON_PrintUnformatted(document);
    write_file(copy, "head.json", changed, strlen(changed));
    cJSON_free(changed);
    cJSON_Delete(document);
    free(text);
}
