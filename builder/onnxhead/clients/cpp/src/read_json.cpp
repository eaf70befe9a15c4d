#include "read_json.hpp"

#include <cerrno>
#include <fstream>

namespace onnxhead {

nlohmann::json read_json(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        throw unreadable(path, {errno, std::generic_category()});
    }
    try {
        return nlohmann::json::parse(file);
    } catch (const nlohmann::json::exception& cause) {
        throw malformed(path, cause.what());
    }
}

BundleError unreadable(const std::filesystem::path& path, const std::error_code& cause) {
    return BundleError("a bundle must hold " + path.string() + ", it cannot be read (" +
                       cause.message() + "): copy the bundle again, as a whole");
}

BundleError malformed(const std::filesystem::path& path, const std::string& reason) {
    return BundleError(path.string() + " must be as onnxhead ships it, it is not (" + reason +
                       "): copy the bundle again, as a whole");
}

} // namespace onnxhead
