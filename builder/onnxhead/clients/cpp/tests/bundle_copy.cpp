#include "bundle_copy.hpp"

#include <stdlib.h> // NOLINT(modernize-deprecated-headers): mkdtemp is POSIX

#include <fstream>
#include <system_error>

namespace fs = std::filesystem;

BundleCopy::BundleCopy() {
    std::string name = fs::temp_directory_path() / "onnxhead-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) {
        throw std::system_error(errno, std::generic_category());
    }
    folder_ = name;
    fs::copy(BUNDLE, folder_); // the files, without test_data_set_N
}

BundleCopy::~BundleCopy() {
    fs::remove_all(folder_);
}

void BundleCopy::append(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary | std::ios::app) << text;
}

void BundleCopy::describe(const std::string& key, const nlohmann::json& value) const {
    const fs::path path = folder_ / "head.json";
    nlohmann::json document = nlohmann::json::parse(std::ifstream(path));
    document[key] = value;
    std::ofstream(path) << document;
}
