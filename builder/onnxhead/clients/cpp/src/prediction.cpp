#include "onnxhead/prediction.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace onnxhead {

Prediction::Prediction(std::vector<float> logits, std::vector<float> probabilities, Labels labels)
    : logits_(std::move(logits)), probabilities_(std::move(probabilities)),
      labels_(std::move(labels)) {}

std::optional<Label> Prediction::label() const {
    if (!is_defined()) {
        return std::nullopt;
    }
    const auto best = std::max_element(logits_.begin(), logits_.end()) - logits_.begin();
    return (*labels_)[static_cast<std::size_t>(best)];
}

std::vector<Label> Prediction::above(float threshold) const {
    std::vector<Label> labels;
    if (!is_defined()) {
        return labels;
    }
    for (std::size_t i = 0; i < probabilities_.size(); ++i) {
        if (probabilities_[i] > threshold) {
            labels.push_back((*labels_)[i]);
        }
    }
    return labels;
}

std::vector<RankedLabel> Prediction::top(std::size_t k) const {
    if (k < 1) {
        throw std::invalid_argument("k must be at least 1, got 0: ask for one label or more");
    }
    if (!is_defined()) {
        return {};
    }
    std::vector<std::size_t> order(logits_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto end = order.begin() + static_cast<std::ptrdiff_t>(std::min(k, order.size()));
    std::partial_sort(order.begin(), end, order.end(), [this](std::size_t one, std::size_t other) {
        return logits_[one] > logits_[other] || (logits_[one] == logits_[other] && one < other);
    });
    std::vector<RankedLabel> ranked;
    std::transform(order.begin(), end, std::back_inserter(ranked), [this](std::size_t i) {
        return RankedLabel{(*labels_)[i], probabilities_[i]};
    });
    return ranked;
}

bool Prediction::is_defined() const {
    return std::none_of(probabilities_.begin(), probabilities_.end(),
                        [](float probability) { return std::isnan(probability); });
}

} // namespace onnxhead
