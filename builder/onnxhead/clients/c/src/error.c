#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

onnxhead_status onnxhead_fail_unreadable(onnxhead_error *error, const char *folder,
                                         const char *name, int cause) {
    return onnxhead_fail(error, ONNXHEAD_BAD_BUNDLE,
                         "a bundle must hold %s/%s, it cannot be read (%s): copy the bundle again, "
                         "as a whole",
                         folder, name, strerror(cause));
}

onnxhead_status onnxhead_fail_malformed(onnxhead_error *error, const char *folder, const char *name,
                                        const char *reason) {
    return onnxhead_fail(error, ONNXHEAD_BAD_BUNDLE,
                         "%s/%s must be as onnxhead ships it, it is not (%s): copy the bundle "
                         "again, as a whole",
                         folder, name, reason);
}

onnxhead_status onnxhead_fail_memory(onnxhead_error *error) {
    return onnxhead_fail(error, ONNXHEAD_FAILED, "memory must not be exhausted, it is: free some");
}
