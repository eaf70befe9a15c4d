#include "cases.hpp"

#include <stdexcept>

#include "read_json.hpp"

namespace {

using nlohmann::json;

template <typename Number> std::vector<Number> flatten(const json& rows) {
    std::vector<Number> values;
    for (const json& row : rows) {
        for (const json& value : row) {
            values.push_back(value.get<Number>());
        }
    }
    return values;
}

Case to_case(const json& document) {
    return {document.at("name").get<std::string>(),
            document.at("features").size(),
            flatten<float>(document.at("features")),
            flatten<double>(document.at("logits")),
            flatten<double>(document.at("probabilities")),
            flatten<double>(document.at("logits_tolerance")),
            document.at("probabilities_tolerance").get<std::vector<double>>(),
            document.at("labels")};
}

void check_sizes(const Case& read, const onnxhead::Classifier& classifier) {
    const std::size_t answers = read.rows * classifier.labels().size();
    if (read.features.size() != read.rows * classifier.features() ||
        read.logits.size() != answers || read.probabilities.size() != answers ||
        read.logits_tolerance.size() != answers ||
        read.probabilities_tolerance.size() != read.rows || read.labels.size() != read.rows) {
        throw std::invalid_argument("a case has rows of another width");
    }
}

} // namespace

std::vector<Case> read_cases(const std::filesystem::path& folder,
                             const onnxhead::Classifier& classifier) {
    const std::filesystem::path path = folder / "vectors.json";
    const json document = onnxhead::read_json(path);
    try {
        std::vector<Case> cases;
        for (const json& item : document.at("cases")) {
            cases.push_back(to_case(item));
            check_sizes(cases.back(), classifier);
        }
        if (cases.empty()) {
            throw std::invalid_argument("it has no cases");
        }
        return cases;
    } catch (const std::exception& cause) {
        throw onnxhead::malformed(path, cause.what());
    }
}
