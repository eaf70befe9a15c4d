#include "timing.hpp"

#include <algorithm>
#include <array>
#include <chrono>

double measure_row(const onnxhead::Classifier& classifier) {
    constexpr int warmup = 200;
    const std::vector<float> row(classifier.features());
    for (int i = 0; i < warmup; ++i) {
        classifier.classify(row);
    }
    std::array<double, 2000> times{};
    for (double& time : times) {
        const auto start = std::chrono::steady_clock::now();
        classifier.classify(row);
        const std::chrono::duration<double, std::micro> passed =
            std::chrono::steady_clock::now() - start;
        time = passed.count();
    }
    std::sort(times.begin(), times.end());
    return (times[times.size() / 2 - 1] + times[times.size() / 2]) / 2;
}
