#include "files.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

char *onnxhead_join(const char *folder, const char *name) {
    const size_t size = strlen(folder) + 1 + strlen(name) + 1;
    char *path = malloc(size);
    if (path != NULL) {
        snprintf(path, size, "%s/%s", folder, name);
    }
    return path;
}

static char *read_open_file(FILE *file, size_t *size) {
    struct stat status;
    if (fstat(fileno(file), &status) != 0) {
        return NULL;
    }
    *size = (size_t)status.st_size;
    char *bytes = malloc(*size + 1);
    if (bytes == NULL) {
        return NULL;
    }
    errno = EIO; // where the file has become shorter
    if (fread(bytes, 1, *size, file) != *size) {
        free(bytes);
        return NULL;
    }
    bytes[*size] = '\0';
    return bytes;
}

char *onnxhead_read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return NULL;
    }
    char *bytes = read_open_file(file, size);
    const int cause = errno;
    fclose(file);
    errno = cause;
    return bytes;
}

static bool digest_open_file(FILE *file, EVP_MD_CTX *context, unsigned char *digest) {
    unsigned char block[16384];
    size_t read = 0;
    bool digested = EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    while (digested && (read = fread(block, 1, sizeof block, file)) > 0) {
        digested = EVP_DigestUpdate(context, block, read) == 1;
    }
    return digested && !ferror(file) && EVP_DigestFinal_ex(context, digest, NULL) == 1;
}

bool onnxhead_sha256(const char *path, char digest[ONNXHEAD_SHA256_SIZE]) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return false;
    }
    unsigned char bytes[EVP_MAX_MD_SIZE];
    errno = ENOMEM; // what OpenSSL fails for
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const bool digested = context != NULL && digest_open_file(file, context, bytes);
    const int cause = errno;
    EVP_MD_CTX_free(context);
    fclose(file);
    errno = cause;
    for (size_t i = 0; digested && i < ONNXHEAD_SHA256_SIZE / 2; i++) {
        snprintf(digest + 2 * i, 3, "%02x", bytes[i]);
    }
    return digested;
}
