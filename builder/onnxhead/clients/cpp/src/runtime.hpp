#pragma once

// Without OrtGetApiBase(), which would have to be linked: load_runtime() finds it.
#define ORT_API_MANUAL_INIT
#include <onnxruntime_cxx_api.h>
#undef ORT_API_MANUAL_INIT

namespace onnxhead {

/// Loads libonnxruntime, so that the classes in namespace Ort call it. Later calls do nothing.
/// @throws LibraryError It was not found, or is older than the header.
const OrtApiBase& load_runtime();

} // namespace onnxhead
