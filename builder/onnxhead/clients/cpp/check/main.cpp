// Compares the answers of a bundle's model with its vectors: check [--time] [BUNDLE].

#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <vector>

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

struct Arguments {
    std::string folder = "bundle";
    bool is_timed = false;
};

/// Reads the arguments; none where they hold another option, or a second folder.
std::optional<Arguments> parse(const std::vector<std::string>& given) {
    Arguments arguments;
    std::size_t folders = 0;
    for (const std::string& argument : given) {
        if (argument == "--time") {
            arguments.is_timed = true;
        } else if (argument.rfind('-', 0) == 0 || ++folders > 1) {
            return std::nullopt;
        } else {
            arguments.folder = argument;
        }
    }
    return arguments;
}

int run(const Arguments& arguments) {
    const onnxhead::Classifier classifier(arguments.folder);
    if (arguments.is_timed) {
        std::printf("one row: %.2f us\n", measure_row(classifier));
        return 0;
    }
    return print_comparisons(classifier, read_cases(arguments.folder, classifier)) > 0 ? 1 : 0;
}

} // namespace

int main(int argc, char** argv) {
    const std::optional<Arguments> arguments = parse({argv + 1, argv + argc});
    if (!arguments) {
        std::fputs("usage: check [--time] [BUNDLE]\n", stderr);
        return 2;
    }
    try {
        return run(*arguments);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 2;
    }
}
