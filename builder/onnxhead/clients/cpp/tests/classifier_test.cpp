#include "onnxhead/classifier.hpp"

#include <gtest/gtest.h>

#include <future>
#include <limits>
#include <string>

#include "bundle_copy.hpp"
#include "messages.hpp"

namespace {

using onnxhead::Classifier;
using onnxhead::FeaturesError;
using onnxhead::Prediction;

class ClassifierTest : public testing::Test {
protected:
    const Classifier classifier{BUNDLE};
};

TEST_F(ClassifierTest, GivesNoAnswersToNoRows) {
    EXPECT_TRUE(classifier.classify_batch({nullptr, 0, classifier.features()}).empty());
}

TEST_F(ClassifierTest, GivesARowWithNanNoLabelAndOthersOne) {
    std::vector<float> rows(2 * classifier.features());
    rows[0] = std::numeric_limits<float>::quiet_NaN();
    const auto predictions = classifier.classify_batch({rows.data(), 2, classifier.features()});
    EXPECT_EQ(predictions.at(0).label(), std::nullopt);
    EXPECT_TRUE(predictions.at(0).above(-1).empty());
    EXPECT_TRUE(predictions.at(0).top(3).empty());
    EXPECT_NE(predictions.at(1).label(), std::nullopt);
}

TEST_F(ClassifierTest, RefusesAnotherWidth) {
    const std::vector<float> wide(classifier.features() + 1);
    const std::string message = "a row must have " + std::to_string(classifier.features()) +
                                " features, got " + std::to_string(wide.size()) +
                                ": pass those that the head was trained on, in their order";
    expect_message<FeaturesError>(message, [&] { classifier.classify(wide); });
    expect_message<FeaturesError>(message, [&] {
        classifier.classify_batch({wide.data(), 1, wide.size()});
    });
}

TEST_F(ClassifierTest, GivesSeveralThreadsTheSameAnswers) {
    constexpr int threads = 8;
    constexpr int calls = 25;
    const std::vector<float> row(classifier.features(), 0.25F);
    const auto alone = classifier.classify(row).logits();
    const auto is_the_same = [&] {
        bool same = true;
        for (int i = 0; i < calls; ++i) {
            same = same && classifier.classify(row).logits() == alone;
        }
        return same;
    };
    std::vector<std::future<bool>> answers(threads);
    for (auto& answer : answers) {
        answer = std::async(std::launch::async, is_the_same);
    }
    for (auto& answer : answers) {
        EXPECT_TRUE(answer.get());
    }
}

TEST_F(ClassifierTest, LeavesItsLabelsToPredictions) {
    auto mine = std::make_unique<Classifier>(BUNDLE);
    const Prediction prediction = mine->classify(std::vector<float>(mine->features()));
    mine.reset();
    EXPECT_EQ(prediction.above(-1), classifier.labels());
}

} // namespace
