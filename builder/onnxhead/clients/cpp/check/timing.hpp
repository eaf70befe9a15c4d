#pragma once

#include "onnxhead/classifier.hpp"

/// Returns the median time, in microseconds, of a call that classifies one row.
double measure_row(const onnxhead::Classifier& classifier);
