#include "description.hpp"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <system_error>
#include <unordered_map>

#include "read_json.hpp"
#include "sha256.hpp"

namespace onnxhead {
namespace {

using nlohmann::json;

Label to_label(const json& value) {
    if (value.is_string()) {
        return value.get<std::string>();
    }
    if (value.is_boolean()) {
        return value.get<bool>();
    }
    if (value.is_number_integer()) {
        return value.get<std::int64_t>();
    }
    return value.get<double>();
}

std::vector<Label> to_labels(const json& values) {
    std::vector<Label> labels;
    for (const json& value : values) {
        labels.push_back(to_label(value));
    }
    return labels;
}

std::vector<Label> numbered(std::size_t classes) {
    std::vector<Label> labels;
    for (std::size_t i = 0; i < classes; ++i) {
        labels.emplace_back(static_cast<std::int64_t>(i));
    }
    return labels;
}

bool are_in_metadata(const std::vector<Label>& labels, const char* metadata) {
    try {
        return labels ==
               (metadata == nullptr ? numbered(labels.size()) : to_labels(json::parse(metadata)));
    } catch (const json::exception&) {
        return false;
    }
}

std::vector<std::string> to_names(const json& names, std::size_t count) {
    if (names.size() != count) {
        throw std::invalid_argument("there must be one input and two outputs");
    }
    return names.get<std::vector<std::string>>();
}

std::size_t to_count(const json& value) {
    const auto count = value.is_number_unsigned() ? value.get<std::size_t>() : 0;
    if (count == 0) {
        throw std::invalid_argument("features and classes must be positive integers");
    }
    return count;
}

Link to_link(const std::string& text) {
    static const std::unordered_map<std::string, Link> links{
        {"softmax", Link::softmax}, {"sigmoid", Link::sigmoid}, {"ovr", Link::ovr}};
    const auto found = links.find(text);
    if (found == links.end()) {
        throw std::invalid_argument("link must be softmax, sigmoid or ovr");
    }
    return found->second;
}

void check_presence(const std::filesystem::path& folder, const std::filesystem::path& path) {
    std::error_code ignored;
    if (std::filesystem::status(path, ignored).type() == std::filesystem::file_type::not_found) {
        throw BundleError("a bundle must have a head.json, " + folder.string() +
                          " has none: name the bundle's folder, or copy the bundle again, as a "
                          "whole");
    }
}

void check_format(const std::filesystem::path& folder, const std::string& format) {
    if (format != "1") {
        throw BundleError("this client reads bundles of format 1, " + folder.string() + " states " +
                          format + ": ship it again with the onnxhead that this client came with");
    }
}

void check_hash(const std::filesystem::path& path, const std::string& stated) {
    const std::string name = path.filename().string();
    std::string found;
    try {
        found = sha256(path);
    } catch (const std::system_error& cause) {
        throw unreadable(path, cause.code());
    }
    if (found != stated) {
        throw BundleError(name + " must be the file that was shipped, its SHA-256 is " + found +
                          " and head.json states " + stated +
                          ": copy the bundle again, as a whole");
    }
}

Description parse(const std::filesystem::path& folder, const json& document) {
    check_format(folder, document.at("format").get<std::string>());
    const auto model = document.at("model").get<std::string>();
    const auto labels = to_labels(document.at("labels"));
    if (labels.size() != to_count(document.at("classes"))) {
        throw std::invalid_argument("there must be one label per class");
    }
    const json& hashes = document.at("sha256");
    hashes.at(model); // the model must have one
    for (const auto& [name, stated] : hashes.items()) {
        check_hash(folder / name, stated.get<std::string>());
    }
    return {folder / model,
            to_names(document.at("inputs"), 1),
            to_names(document.at("outputs"), 2),
            to_count(document.at("features")),
            std::make_shared<const std::vector<Label>>(labels),
            to_link(document.at("link").get<std::string>())};
}

} // namespace

Description read_description(const std::filesystem::path& folder) {
    const std::filesystem::path path = folder / "head.json";
    check_presence(folder, path);
    const json document = read_json(path);
    try {
        return parse(folder, document);
    } catch (const BundleError&) {
        throw;
    } catch (const std::exception& cause) {
        throw malformed(path, cause.what());
    }
}

void check_labels(const std::vector<Label>& labels, const char* metadata) {
    if (!are_in_metadata(labels, metadata)) {
        throw BundleError("the labels in head.json must be those in the model's metadata, they "
                          "are others: copy the bundle again, as a whole");
    }
}

} // namespace onnxhead
