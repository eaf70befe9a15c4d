#ifndef ONNXHEAD_ERROR_H
#define ONNXHEAD_ERROR_H

#include "onnxhead_client.h"

/** Write a message to an error, unless that is NULL, and return the status. */
onnxhead_status onnxhead_fail(onnxhead_error *error, onnxhead_status status, const char *format,
                              ...);

/** Say that a file of a folder cannot be read; `cause` is an errno. */
onnxhead_status onnxhead_fail_unreadable(onnxhead_error *error, const char *folder,
                                         const char *name, int cause);

/** Say that a file of a folder is there, and is not what onnxhead ships. */
onnxhead_status onnxhead_fail_malformed(onnxhead_error *error, const char *folder, const char *name,
                                        const char *reason);

/** Say that there is no memory. */
onnxhead_status onnxhead_fail_memory(onnxhead_error *error);

#endif
