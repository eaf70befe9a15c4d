#include "onnxhead/classifier.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "description.hpp"
#include "runtime.hpp"

namespace onnxhead {
namespace {

Ort::Session load_model(const Ort::Env& environment, const std::filesystem::path& path) {
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(1);
    return {environment, path.c_str(), options};
}

/// Tells whether a value is float32 [batch, width].
bool is_matrix(const Ort::TypeInfo& type, std::size_t width) {
    if (type.GetONNXType() != ONNX_TYPE_TENSOR) {
        return false;
    }
    const auto tensor = type.GetTensorTypeAndShapeInfo();
    const auto shape = tensor.GetShape();
    return tensor.GetElementType() == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT && shape.size() == 2 &&
           shape[1] == static_cast<std::int64_t>(width);
}

} // namespace

/// A model in onnxruntime, held to what its description says.
class Classifier::Session {
public:
    explicit Session(Description description) : description_(std::move(description)) {
        if (!has_stated_values()) {
            throw BundleError("the model must have the inputs and outputs of head.json, " +
                              description_.model.string() +
                              " has others: copy the bundle again, as a whole");
        }
        Ort::AllocatorWithDefaultOptions allocator;
        const auto labels = model_.GetModelMetadata().LookupCustomMetadataMapAllocated(
            "onnxhead.labels", allocator);
        check_labels(*description_.labels, labels.get());
    }

    const Description& description() const noexcept { return description_; }

    void check_width(std::size_t width) const {
        if (width != description_.features) {
            throw FeaturesError("a row must have " + std::to_string(description_.features) +
                                " features, got " + std::to_string(width) +
                                ": pass those that the head was trained on, in their order");
        }
    }

    /// Writes the answers to rows of the right width to where there is room for them.
    void run(Rows rows, float* logits, float* probabilities) {
        const std::size_t classes = description_.labels->size();
        const char* input = description_.inputs[0].c_str();
        const std::array<const char*, 2> outputs{description_.outputs[0].c_str(),
                                                 description_.outputs[1].c_str()};
        // onnxruntime only reads what is an input
        const Ort::Value features = wrap(const_cast<float*>(rows.data), rows.count, rows.width);
        std::array<Ort::Value, 2> answers{wrap(logits, rows.count, classes),
                                          wrap(probabilities, rows.count, classes)};
        model_.Run(Ort::RunOptions{nullptr}, &input, &features, 1, outputs.data(), answers.data(),
                   answers.size());
    }

private:
    bool has_stated_values() const {
        Ort::AllocatorWithDefaultOptions allocator;
        if (model_.GetInputCount() != 1 || model_.GetOutputCount() != 2 ||
            model_.GetInputNameAllocated(0, allocator).get() != description_.inputs[0] ||
            !is_matrix(model_.GetInputTypeInfo(0), description_.features)) {
            return false;
        }
        for (std::size_t i = 0; i < 2; ++i) {
            if (model_.GetOutputNameAllocated(i, allocator).get() != description_.outputs[i] ||
                !is_matrix(model_.GetOutputTypeInfo(i), description_.labels->size())) {
                return false;
            }
        }
        return true;
    }

    /// Makes a tensor of the caller's floats, without a copy.
    Ort::Value wrap(float* values, std::size_t rows, std::size_t width) const {
        const std::array<std::int64_t, 2> shape{static_cast<std::int64_t>(rows),
                                                static_cast<std::int64_t>(width)};
        return Ort::Value::CreateTensor<float>(memory_, values, rows * width, shape.data(),
                                               shape.size());
    }

    Description description_;
    Ort::Env environment_{ORT_LOGGING_LEVEL_WARNING, "onnxhead"};
    Ort::MemoryInfo memory_ = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    Ort::Session model_ = load_model(environment_, description_.model);
};

Classifier::Classifier(const std::filesystem::path& folder) {
    Description description = read_description(folder);
    const std::string version = load_runtime().GetVersionString();
    const std::string model = description.model.string();
    try {
        session_ = std::make_unique<Session>(std::move(description));
    } catch (const Ort::Exception& cause) {
        throw BundleError(model + " must load in onnxruntime, " + version + " refuses it (" +
                          cause.what() +
                          "): take a newer onnxruntime, or copy the bundle again, as a whole");
    }
}

Classifier::Classifier(Classifier&&) noexcept = default;
Classifier& Classifier::operator=(Classifier&&) noexcept = default;
Classifier::~Classifier() = default;

std::size_t Classifier::features() const noexcept {
    return session_->description().features;
}

const std::vector<Label>& Classifier::labels() const noexcept {
    return *session_->description().labels;
}

Link Classifier::link() const noexcept {
    return session_->description().link;
}

Prediction Classifier::classify(const std::vector<float>& row) const {
    session_->check_width(row.size());
    std::vector<float> logits(labels().size());
    std::vector<float> probabilities(labels().size());
    session_->run({row.data(), 1, row.size()}, logits.data(), probabilities.data());
    return {std::move(logits), std::move(probabilities), session_->description().labels};
}

std::vector<Prediction> Classifier::classify_batch(Rows rows) const {
    session_->check_width(rows.width);
    if (rows.count == 0) {
        return {};
    }
    const std::size_t classes = labels().size();
    std::vector<float> logits(rows.count * classes);
    std::vector<float> probabilities(rows.count * classes);
    session_->run(rows, logits.data(), probabilities.data());
    std::vector<Prediction> predictions;
    predictions.reserve(rows.count);
    for (std::size_t i = 0; i < rows.count; ++i) {
        const float* z = logits.data() + i * classes;
        const float* p = probabilities.data() + i * classes;
        predictions.emplace_back(std::vector<float>(z, z + classes),
                                 std::vector<float>(p, p + classes),
                                 session_->description().labels);
    }
    return predictions;
}

} // namespace onnxhead
