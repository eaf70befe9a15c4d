#ifndef BUNDLE_COPY_H
#define BUNDLE_COPY_H

#include <cjson/cJSON.h>
#include <stddef.h>

/** A folder of its own with the files of the bundle that loading reads. */
typedef struct bundle_copy {
    char folder[32];
} bundle_copy;

/** Copy the bundle. */
bundle_copy copy_bundle(void);

/** Make a folder without files. */
bundle_copy empty_bundle(void);

/** Remove a copy. */
void remove_bundle(const bundle_copy *copy);

/** Append a byte to a file of a copy. */
void append_byte(const bundle_copy *copy, const char *name);

/** Set a key of a copy's head.json to a value, which is freed. */
void change_description(const bundle_copy *copy, const char *key, cJSON *value);

/** Write a file of a copy. */
void write_file(const bundle_copy *copy, const char *name, const char *bytes, size_t size);

#endif
