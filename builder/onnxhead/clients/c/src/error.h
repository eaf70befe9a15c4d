#ifndef ONNXHEAD_ERROR_H
#define ONNXHEAD_ERROR_H

#include "onnxhead_client.h"

/** Write a message to an error, unless that is NULL, and return the status. */
onnxhead_status onnxhead_fail(onnxhead_error *error, onnxhead_status status, const char *format,
                              ...);

/** Say that there is no memory. */
onnxhead_status onnxhead_fail_memory(onnxhead_error *error);

#endif
