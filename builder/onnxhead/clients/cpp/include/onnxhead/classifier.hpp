#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <vector>

#include "onnxhead/error.hpp"
#include "onnxhead/prediction.hpp"

namespace onnxhead {

/// How logits become probabilities. The labels of a sigmoid are independent.
enum class Link { softmax, sigmoid, ovr };

/// A view of a batch of features: `count` rows of `width` floats, one after the other.
struct Rows {
    const float* data;
    std::size_t count;
    std::size_t width;
};

/// A head that is loaded. Several threads may call it at once.
class Classifier {
public:
    /// Loads the bundle in a folder, once its files have proved to be those that were shipped.
    ///
    /// The first classifier loads libonnxruntime: the one that the environment variable
    /// ORT_DYLIB_PATH names, else the system's. It gets one thread, since a head is small and
    /// callers have threads of their own. ORT_DISABLE_TELEMETRY=1 is set before, unless the
    /// environment says otherwise; other threads must not change the environment meanwhile.
    ///
    /// @throws BundleError The folder is no bundle, or its files are not those that were shipped.
    /// @throws LibraryError libonnxruntime was not found, or is too old.
    explicit Classifier(const std::filesystem::path& folder);

    Classifier(Classifier&&) noexcept;
    Classifier& operator=(Classifier&&) noexcept;
    ~Classifier();

    /// How many features a row has.
    std::size_t features() const noexcept;

    /// The labels, one per class.
    const std::vector<Label>& labels() const noexcept;

    /// How logits become probabilities.
    Link link() const noexcept;

    /// Answers one row of features.
    /// @throws FeaturesError It has another width.
    /// @throws std::exception onnxruntime fails, such as for want of memory.
    Prediction classify(const std::vector<float>& row) const;

    /// Answers a batch of rows, also an empty one: one prediction per row.
    /// @throws FeaturesError They have another width.
    /// @throws std::exception onnxruntime fails, such as for want of memory.
    std::vector<Prediction> classify_batch(Rows rows) const;

private:
    class Session;

    std::unique_ptr<Session> session_;
};

} // namespace onnxhead
