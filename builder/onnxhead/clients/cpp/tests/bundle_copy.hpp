#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

/// The bundle that lies in the project's root, where the tests run.
inline constexpr auto BUNDLE = "bundle";

/// A copy of the bundle in a folder of its own, which goes with it.
class BundleCopy {
public:
    BundleCopy();
    BundleCopy(const BundleCopy&) = delete;
    BundleCopy& operator=(const BundleCopy&) = delete;
    ~BundleCopy();

    const std::filesystem::path& folder() const { return folder_; }

    /// Appends to a file.
    void append(const std::string& name, const std::string& text) const;

    /// Sets a key of head.json.
    void describe(const std::string& key, const nlohmann::json& value) const;

private:
    std::filesystem::path folder_;
};
