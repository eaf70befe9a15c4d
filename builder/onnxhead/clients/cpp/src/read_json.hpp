#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>

#include "onnxhead/error.hpp"

namespace onnxhead {

/// Reads a JSON document of a bundle.
/// @throws BundleError It cannot be read, or is no JSON.
nlohmann::json read_json(const std::filesystem::path& path);

/// Makes the error of a file that cannot be read.
BundleError unreadable(const std::filesystem::path& path, const std::error_code& cause);

/// Makes the error of a file that is there, and is not what onnxhead ships.
BundleError malformed(const std::filesystem::path& path, const std::string& reason);

} // namespace onnxhead
