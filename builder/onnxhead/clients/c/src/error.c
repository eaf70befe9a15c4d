#include "error.h"

#include <stdarg.h>
#include <stdio.h>

onnxhead_status onnxhead_fail(onnxhead_error *error, onnxhead_status status, const char *format,
                              ...) {
    if (error != NULL) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
    }
    return status;
}

onnxhead_status onnxhead_fail_memory(onnxhead_error *error) {
    return onnxhead_fail(error, ONNXHEAD_FAILED, "memory must not be exhausted, it is: free some");
}
