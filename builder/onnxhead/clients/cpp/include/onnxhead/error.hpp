#pragma once

#include <stdexcept>

namespace onnxhead {

/// A folder is no bundle, or its files are not those that were shipped.
class BundleError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// libonnxruntime was not found, or is older than the header that the client is built with.
class LibraryError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A row has another number of features than the head.
class FeaturesError : public std::invalid_argument {
    using std::invalid_argument::invalid_argument;
};

} // namespace onnxhead
