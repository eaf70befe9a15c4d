#include "runtime.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <string>

#include "onnxhead/error.hpp"

namespace onnxhead {
namespace {

void* open_library() {
    constexpr int mode = RTLD_NOW | RTLD_LOCAL;
    const char* path = std::getenv("ORT_DYLIB_PATH");
    if (path != nullptr && *path != '\0') {
        return dlopen(path, mode);
    }
    void* library = dlopen("libonnxruntime.so.1", mode);
    return library != nullptr ? library : dlopen("libonnxruntime.so", mode);
}

const OrtApiBase& find_runtime() {
    // 1.29 and newer send usage data unless this is set before they are loaded
    setenv("ORT_DISABLE_TELEMETRY", "1", 0);
    void* library = open_library();
    void* function = library != nullptr ? dlsym(library, "OrtGetApiBase") : nullptr;
    if (function == nullptr) {
        throw LibraryError("libonnxruntime must be where ORT_DYLIB_PATH or the system says, it is "
                           "not (" +
                           std::string(dlerror()) + "): set ORT_DYLIB_PATH to its absolute path");
    }
    return *reinterpret_cast<const OrtApiBase* (*)()>(function)();
}

const OrtApiBase& initialize() {
    const OrtApiBase& base = find_runtime();
    // an older library would answer with garbage, not with an error
    const OrtApi* api = base.GetApi(ORT_API_VERSION);
    if (api == nullptr) {
        throw LibraryError("onnxruntime must be 1." + std::to_string(ORT_API_VERSION) +
                           " or newer, it is " + base.GetVersionString() +
                           ": set ORT_DYLIB_PATH to the absolute path of another libonnxruntime");
    }
    Ort::InitApi(api);
    return base;
}

} // namespace

const OrtApiBase& load_runtime() {
    static const OrtApiBase& base = initialize(); // again, where it threw
    return base;
}

} // namespace onnxhead
