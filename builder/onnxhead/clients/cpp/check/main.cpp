// Compares the answers of a bundle's model with its vectors: check [--time] [BUNDLE].

#include <cstdio>
#include <exception>
#include <string>

#include "cases.hpp"
#include "comparison.hpp"
#include "timing.hpp"

namespace {

/// Prints what is wrong, and returns how many cases failed.
std::size_t print_comparisons(const onnxhead::Classifier& classifier,
                              const std::vector<Case>& cases) {
    std::size_t failed = 0;
    double largest = 0;
    for (const Case& expected : cases) {
        const Comparison result = compare(classifier, expected);
        largest = larger_error(result.largest_error, largest);
        if (result.reason) {
            ++failed;
            std::printf("FAILED %s: %s\n", expected.name.c_str(), result.reason->c_str());
        }
    }
    std::printf("largest error: %.3g of its tolerance\n", largest);
    std::printf("%zu passed, %zu failed\n", cases.size() - failed, failed);
    return failed;
}

int run(const std::string& folder, bool is_timed) {
    const onnxhead::Classifier classifier(folder);
    if (is_timed) {
        std::printf("one row: %.2f us\n", measure_row(classifier));
        return 0;
    }
    return print_comparisons(classifier, read_cases(folder, classifier)) > 0 ? 1 : 0;
}

} // namespace

int main(int argc, char** argv) {
    std::string folder = "bundle";
    bool is_timed = false;
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        if (argument == "--time") {
            is_timed = true;
        } else {
            folder = argument;
        }
    }
    try {
        return run(folder, is_timed);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 2;
    }
}
