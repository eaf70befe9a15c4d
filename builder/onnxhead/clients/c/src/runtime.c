#include "runtime.h"

#include "error.h"
#include <dlfcn.h>
#include <stdlib.h>

/* onnxruntime 1.17: one binary runs with that and with everything newer. */
enum { API_VERSION = 17 };

/* Opens what is never closed again: onnxruntime is not made to be unloaded. */
static void *open_library(void) {
    const int mode = RTLD_NOW | RTLD_LOCAL;
    const char *path = getenv("ORT_DYLIB_PATH");
    if (path != NULL && *path != '\0') {
        return dlopen(path, mode);
    }
    void *library = dlopen("libonnxruntime.so.1", mode);
    return library != NULL ? library : dlopen("libonnxruntime.so", mode);
}

onnxhead_status onnxhead_open_runtime(onnxhead_runtime *runtime, onnxhead_error *error) {
    // 1.29 and newer send usage data unless this is set before they are loaded
    setenv("ORT_DISABLE_TELEMETRY", "1", 0);
    void *library = open_library();
    const OrtApiBase *(*get_base)(void) = NULL;
    if (library != NULL) {
        *(void **)&get_base = dlsym(library, "OrtGetApiBase"); // as POSIX says, ISO C has no way
    }
    if (get_base == NULL) {
        return onnxhead_fail(error, ONNXHEAD_NO_RUNTIME,
                             "libonnxruntime must be where ORT_DYLIB_PATH or the system says, it "
                             "is not (%s): set ORT_DYLIB_PATH to its absolute path",
                             dlerror());
    }
    runtime->version = get_base()->GetVersionString();
    runtime->api = get_base()->GetApi(API_VERSION);
    if (runtime->api == NULL) {
        return onnxhead_fail(error, ONNXHEAD_NO_RUNTIME,
                             "onnxruntime must be 1.%d or newer, it is %s: set ORT_DYLIB_PATH to "
                             "the absolute path of another libonnxruntime",
                             API_VERSION, runtime->version);
    }
    return ONNXHEAD_OK;
}
