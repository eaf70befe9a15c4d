#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "onnxhead/classifier.hpp"

namespace onnxhead {

/// What head.json says.
struct Description {
    std::filesystem::path model;
    std::vector<std::string> inputs;  ///< features
    std::vector<std::string> outputs; ///< logits, probabilities
    std::size_t features;
    Labels labels;
    Link link;
};

/// Reads head.json, and holds the model's files to the hashes in it.
/// @throws BundleError It is missing or malformed, or a file is not the one that was shipped.
Description read_description(const std::filesystem::path& folder);

/// Holds the labels to those in the model's metadata.
/// @param metadata A JSON array; nullptr where the classes are numbered from 0.
/// @throws BundleError They are others.
void check_labels(const std::vector<Label>& labels, const char* metadata);

} // namespace onnxhead
