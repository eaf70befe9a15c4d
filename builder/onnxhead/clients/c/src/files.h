#ifndef ONNXHEAD_FILES_H
#define ONNXHEAD_FILES_H

#include <stdbool.h>
#include <stddef.h>

/** Hexadecimal digits of a SHA-256, and their end. */
enum { ONNXHEAD_SHA256_SIZE = 65 };

/** Return the path of a file in a folder, to be freed; NULL without memory. */
char *onnxhead_join(const char *folder, const char *name);

/**
 * Read a file.
 *
 * @param[out] size How many bytes it has.
 * @return Its bytes and a zero, to be freed; NULL with errno where it cannot be read.
 */
char *onnxhead_read_file(const char *path, size_t *size);

/**
 * Compute the SHA-256 of a file.
 *
 * @param[out] digest In hexadecimal.
 * @return Whether it was read; if not, errno tells why.
 */
bool onnxhead_sha256(const char *path, char digest[ONNXHEAD_SHA256_SIZE]);

#endif
