#include "comparison.hpp"

#include <cmath>
#include <sstream>

namespace {

using nlohmann::json;
using onnxhead::Classifier;
using onnxhead::Label;
using onnxhead::Link;
using onnxhead::Prediction;

void blame(Comparison& result, const std::string& reason) {
    if (!result.reason) {
        result.reason = reason;
    }
}

/// Where a value belongs, for messages.
struct Place {
    const char* what;
    std::size_t row;
    std::size_t column;
};

void compare_value(const Place& place, float got, double expected, double tolerance,
                   Comparison& result) {
    const double error = std::abs(got - expected) / tolerance;
    result.largest_error = larger_error(error, result.largest_error);
    if (!(error <= 1)) { // also where it is NaN
        std::ostringstream reason;
        reason << place.what << " of row " << place.row << ", class " << place.column << " is "
               << got << ", expected " << expected;
        reason.precision(2);
        reason << " within " << tolerance;
        blame(result, reason.str());
    }
}

json to_json(const Label& label) {
    return std::visit([](const auto& value) { return json(value); }, label);
}

/// Returns the label, with the link sigmoid the labels, as vectors.json has them.
json decision(const Prediction& prediction, Link link) {
    if (link == Link::sigmoid) {
        json labels = json::array();
        for (const Label& label : prediction.above(0.5F)) {
            labels.push_back(to_json(label));
        }
        return labels;
    }
    const auto label = prediction.label();
    return label ? to_json(*label) : json();
}

void compare_row(const Prediction& prediction, Link link, const Case& expected, std::size_t row,
                 Comparison& result) {
    const std::size_t classes = prediction.logits().size();
    for (std::size_t i = 0; i < classes; ++i) {
        const std::size_t at = row * classes + i;
        compare_value({"logit", row, i}, prediction.logits()[i], expected.logits[at],
                      expected.logits_tolerance[at], result);
    }
    for (std::size_t i = 0; i < classes; ++i) {
        compare_value({"probability", row, i}, prediction.probabilities()[i],
                      expected.probabilities[row * classes + i],
                      expected.probabilities_tolerance[row], result);
    }
    const json& label = expected.labels[row];
    const json got = decision(prediction, link);
    if (!label.is_null() && got != label) {
        blame(result, "label of row " + std::to_string(row) + " is " + got.dump() + ", expected " +
                          label.dump());
    }
}

} // namespace

double larger_error(double one, double other) {
    return std::isnan(one) || one > other ? one : other;
}

Comparison compare(const Classifier& classifier, const Case& expected) {
    const std::size_t width = classifier.features();
    const std::vector<float>& features = expected.features;
    const auto predictions = classifier.classify_batch({features.data(), expected.rows, width});
    Comparison result;
    if (predictions.size() != expected.rows) {
        blame(result, std::to_string(predictions.size()) + " answers for " +
                          std::to_string(expected.rows) + " rows");
        return result;
    }
    for (std::size_t row = 0; row < expected.rows; ++row) {
        compare_row(predictions[row], classifier.link(), expected, row, result);
    }
    if (expected.rows > 0) {
        const auto end = features.begin() + static_cast<std::ptrdiff_t>(width);
        const Prediction alone = classifier.classify({features.begin(), end});
        compare_row(alone, classifier.link(), expected, 0, result);
    }
    return result;
}
