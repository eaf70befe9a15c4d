#include "onnxhead/prediction.hpp"

#include <gtest/gtest.h>

#include "messages.hpp"

namespace {

using onnxhead::Label;
using onnxhead::Prediction;
using onnxhead::RankedLabel;

class PredictionTest : public testing::Test {
protected:
    const std::vector<Label> labels{std::string("naïve"), std::int64_t{7}, true, 0.5};
    const Prediction prediction{{1, 3, 3, 2},
                                {0.25F, 0.875F, 0.875F, 0.75F},
                                std::make_shared<const std::vector<Label>>(labels)};
};

std::vector<Label> labels_of(const std::vector<RankedLabel>& ranked) {
    std::vector<Label> labels;
    labels.reserve(ranked.size());
    for (const RankedLabel& one : ranked) {
        labels.push_back(one.label);
    }
    return labels;
}

TEST_F(PredictionTest, LabelIsTheFirstWithTheLargestLogit) {
    EXPECT_EQ(prediction.label(), Label(std::int64_t{7}));
}

TEST_F(PredictionTest, TopIsInOrderOfTheLogits) {
    const auto top = prediction.top(9);
    EXPECT_EQ(labels_of(top),
              (std::vector<Label>{std::int64_t{7}, true, 0.5, std::string("naïve")}));
    EXPECT_EQ(top.at(0).probability, 0.875F);
    EXPECT_EQ(top.at(3).probability, 0.25F);
}

TEST_F(PredictionTest, TopIsOfAsManyAsAreAskedFor) {
    EXPECT_EQ(labels_of(prediction.top(2)), (std::vector<Label>{std::int64_t{7}, true}));
}

TEST_F(PredictionTest, TopOfNoneIsRefused) {
    expect_message<std::invalid_argument>("k must be at least 1, got 0",
                                          [&] { prediction.top(0); });
}

TEST_F(PredictionTest, AboveAThresholdIsInTheOrderOfTheClasses) {
    EXPECT_EQ(prediction.above(0.75F), (std::vector<Label>{std::int64_t{7}, true}));
    EXPECT_EQ(prediction.above(-1), labels);
    EXPECT_TRUE(prediction.above(1).empty());
}

} // namespace
