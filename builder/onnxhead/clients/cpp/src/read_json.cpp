#include "read_json.hpp"

#include <cerrno>
#include <fstream>
#include <system_error>

namespace onnxhead {

nlohmann::json read_json(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        throw std::system_error(errno, std::generic_category());
    }
    return nlohmann::json::parse(file);
}

} // namespace onnxhead
