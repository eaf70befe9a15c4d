#pragma once

#include <filesystem>
#include <string>

namespace onnxhead {

/// Returns the SHA-256 of a file in hexadecimal.
/// @throws std::system_error It cannot be read.
std::string sha256(const std::filesystem::path& path);

} // namespace onnxhead
