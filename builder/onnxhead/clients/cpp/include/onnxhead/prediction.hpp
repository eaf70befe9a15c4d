#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace onnxhead {

/// The label of a class: UTF-8 text, an integer (within 2^53), a boolean or a decimal.
using Label = std::variant<std::string, std::int64_t, bool, double>;

/// The labels of a head, one per class, shared by its predictions.
using Labels = std::shared_ptr<const std::vector<Label>>;

/// A label with its probability.
struct RankedLabel {
    Label label;
    float probability;
};

/// The answer for one row.
class Prediction {
public:
    /// All three have one element per class.
    Prediction(std::vector<float> logits, std::vector<float> probabilities, Labels labels);

    /// The logits, one per class.
    const std::vector<float>& logits() const noexcept { return logits_; }

    /// The probabilities, one per class.
    const std::vector<float>& probabilities() const noexcept { return probabilities_; }

    /// The label with the largest logit, the first of equal ones; none where a probability is NaN.
    std::optional<Label> label() const;

    /// The labels with a probability above a threshold, in the order of the classes; none where a
    /// probability is NaN. Meant for heads whose labels are independent, with 0.5.
    std::vector<Label> above(float threshold) const;

    /// The k labels with the largest logits, largest first, the earlier class first where equal.
    /// All of them where there are fewer than k; none where a probability is NaN.
    /// @throws std::invalid_argument k is 0.
    std::vector<RankedLabel> top(std::size_t k) const;

private:
    bool is_defined() const;

    std::vector<float> logits_;
    std::vector<float> probabilities_;
    Labels labels_;
};

} // namespace onnxhead
