#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "onnxhead/classifier.hpp"

/// One batch of a bundle with its exact answers, row by row.
struct Case {
    std::string name;
    std::size_t rows;
    std::vector<float> features;
    std::vector<double> logits;
    std::vector<double> probabilities;
    std::vector<double> logits_tolerance;        ///< one per logit
    std::vector<double> probabilities_tolerance; ///< one per row
    nlohmann::json labels; ///< one per row: a label, an array of them, or null for any
};

/// Reads the cases of a classifier's bundle from its vectors.json.
/// @throws onnxhead::BundleError It is missing or malformed.
std::vector<Case> read_cases(const std::filesystem::path& folder,
                             const onnxhead::Classifier& classifier);
