#include <gtest/gtest.h>

#include "bundle_copy.hpp"
#include "messages.hpp"
#include "onnxhead/classifier.hpp"

namespace {

using nlohmann::json;
using onnxhead::BundleError;
using onnxhead::Classifier;

void expect_refusal(const BundleCopy& copy, const std::string& message) {
    expect_message<BundleError>(message, [&] { const Classifier refused(copy.folder()); });
}

void expect_refusal_of(const std::string& key, const json& value, const std::string& message) {
    const BundleCopy copy;
    copy.describe(key, value);
    expect_refusal(copy, message);
}

TEST(Loading, TakesACopy) {
    const BundleCopy copy;
    EXPECT_EQ(Classifier(copy.folder()).labels(), Classifier(BUNDLE).labels());
}

TEST(Loading, RefusesAChangedModel) {
    const BundleCopy copy;
    copy.append("model.onnx", "more");
    expect_refusal(copy, "model.onnx must be the file that was shipped");
}

TEST(Loading, RefusesOtherLabels) {
    const std::vector<std::string> labels(Classifier(BUNDLE).labels().size(), "another");
    expect_refusal_of("labels", labels, "the labels in head.json must be those in the model's");
}

TEST(Loading, RefusesAnotherWidthThanTheModels) {
    expect_refusal_of("features", 1000000, "the model must have the inputs and outputs");
}

TEST(Loading, RefusesAnotherFormat) {
    expect_refusal_of("format", "2", "this client reads bundles of format 1");
}

TEST(Loading, RefusesAMissingFile) {
    expect_refusal_of("sha256", {{"model.onnx", ""}, {"missing.data", ""}},
                      "/missing.data, it cannot be read (No such file");
}

TEST(Loading, RefusesAMalformedDescription) {
    expect_refusal_of("model", 3, "/head.json must be as onnxhead ships it, it is not (");
    expect_refusal_of("labels", nullptr, "/head.json must be as onnxhead ships it, it is not (");
    expect_refusal_of("inputs", json::array(),
                      "/head.json must be as onnxhead ships it, it is not (");
    expect_refusal_of("link", "guess", "/head.json must be as onnxhead ships it, it is not (");
    expect_refusal_of("sha256", json::object(),
                      "/head.json must be as onnxhead ships it, it is not (");
}

TEST(Loading, RefusesWhatIsNoJson) {
    const BundleCopy copy;
    copy.append("head.json", "}");
    expect_refusal(copy, "/head.json must be as onnxhead ships it, it is not (");
}

TEST(Loading, RefusesAFolderWithoutABundle) {
    const BundleCopy copy;
    std::filesystem::remove(copy.folder() / "head.json");
    expect_refusal(copy, "a bundle must have a head.json, " + copy.folder().string() +
                             " has none: name the bundle's folder");
}

} // namespace
