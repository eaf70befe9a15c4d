#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace onnxhead {

/// Reads a JSON document.
/// @throws std::system_error It cannot be read.
/// @throws nlohmann::json::exception It is malformed.
nlohmann::json read_json(const std::filesystem::path& path);

} // namespace onnxhead
