#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cases.hpp"
#include "onnxhead/classifier.hpp"

/// How a case went.
struct Comparison {
    double largest_error = 0;          ///< as a fraction of its tolerance
    std::optional<std::string> reason; ///< the first thing that is wrong, if any is
};

/// Returns the larger error, NaN being the largest.
double larger_error(double one, double other);

/// Compares the answers to a case as one batch, and to its first row alone, with the exact ones.
Comparison compare(const onnxhead::Classifier& classifier, const Case& expected);
