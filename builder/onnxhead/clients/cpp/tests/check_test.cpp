#include <gtest/gtest.h>

#include "bundle_copy.hpp"
#include "cases.hpp"
#include "comparison.hpp"

namespace {

class CheckTest : public testing::Test {
protected:
    const onnxhead::Classifier classifier{BUNDLE};
    const std::vector<Case> cases = read_cases(BUNDLE, classifier);
};

TEST_F(CheckTest, EveryVectorIsWithinItsTolerance) {
    double largest = 0;
    std::size_t rows = 0;
    for (const Case& expected : cases) {
        const Comparison result = compare(classifier, expected);
        EXPECT_EQ(result.reason, std::nullopt) << expected.name;
        largest = larger_error(largest, result.largest_error);
        rows += expected.rows;
    }
    EXPECT_GT(largest, 0);
    EXPECT_LE(largest, 1);
    EXPECT_GE(rows, 16);
}

TEST_F(CheckTest, AVectorThatIsWrongFails) {
    Case wrong = cases.at(0);
    wrong.logits[0] += 2 * wrong.logits_tolerance[0];
    const Comparison result = compare(classifier, wrong);
    EXPECT_EQ(result.reason.value_or("").find("logit of row 0, class 0 is "), 0);
    EXPECT_GT(result.largest_error, 1);
}

TEST_F(CheckTest, ALabelThatIsWrongFails) {
    Case wrong = cases.at(0);
    wrong.labels[0] = "another";
    EXPECT_EQ(compare(classifier, wrong).reason.value_or("").find("label of row 0 is "), 0);
}

} // namespace
