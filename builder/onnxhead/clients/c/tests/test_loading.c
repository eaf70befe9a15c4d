#include "bundle_copy.h"
#include "testing.h"
#include <stdlib.h>
#include <string.h>

static void expect_refusal(const bundle_copy *copy, onnxhead_status status, const char *message) {
    onnxhead_classifier *classifier = NULL;
    onnxhead_error error;
    assert(onnxhead_load(copy->folder, &classifier, &error) == status);
    assert(classifier == NULL);
    assert(says(error.message, message));
    remove_bundle(copy);
}

static void expect_changed_description_is_refused(const char *key, cJSON *value,
                                                  const char *message) {
    const bundle_copy copy = copy_bundle();
    change_description(&copy, key, value);
    expect_refusal(&copy, ONNXHEAD_BAD_BUNDLE, message);
}

static void test_a_copy_is_a_bundle(void) {
    const bundle_copy copy = copy_bundle();
    onnxhead_classifier *classifier = NULL;
    assert(onnxhead_load(copy.folder, &classifier, NULL) == ONNXHEAD_OK);
    onnxhead_free(classifier);
    remove_bundle(&copy);
}

static void test_a_changed_model_is_refused(void) {
    const bundle_copy copy = copy_bundle();
    append_byte(&copy, "model.onnx");
    expect_refusal(&copy, ONNXHEAD_BAD_BUNDLE, "model.onnx must be the file that was shipped");
}

static void test_other_labels_are_refused(void) {
    onnxhead_classifier *classifier = load_bundle();
    cJSON *labels = cJSON_CreateArray();
    for (size_t i = 0; i < onnxhead_get_classes(classifier); i++) {
        cJSON_AddItemToArray(labels, cJSON_CreateString("another"));
    }
    onnxhead_free(classifier);
    expect_changed_description_is_refused(
        "labels", labels, "the labels in head.json must be those in the model's metadata");
}

static void test_another_width_than_the_models_is_refused(void) {
    expect_changed_description_is_refused("features", cJSON_CreateNumber(1e6),
                                          "the model must have the inputs and outputs");
}

static void test_what_is_no_bundle_is_refused(void) {
    cJSON *hashes = cJSON_CreateObject();
    cJSON_AddStringToObject(hashes, "model.onnx", "");
    expect_changed_description_is_refused("format", cJSON_CreateString("2"),
                                          "this client reads bundles of format 1");
    expect_changed_description_is_refused("model", cJSON_CreateNumber(3),
                                          "head.json must be as onnxhead ships it");
    expect_changed_description_is_refused("labels", cJSON_CreateNull(),
                                          "head.json must be as onnxhead ships it");
    expect_changed_description_is_refused("sha256", cJSON_CreateObject(),
                                          "head.json must be as onnxhead ships it");
    expect_changed_description_is_refused("sha256", hashes, "must be the file that was shipped");
}

static void test_a_missing_file_is_refused(void) {
    cJSON *hashes = cJSON_CreateObject();
    cJSON_AddStringToObject(hashes, "missing.data", "");
    cJSON_AddStringToObject(hashes, "model.onnx", "");
    expect_changed_description_is_refused("sha256", hashes,
                                          "/missing.data, it cannot be read (No such file");
}

static void test_what_is_no_json_is_refused(void) {
    const bundle_copy copy = copy_bundle();
    write_file(&copy, "head.json", "{", 1);
    expect_refusal(&copy, ONNXHEAD_BAD_BUNDLE,
                   "/head.json must be as onnxhead ships it, it is not (it is no JSON)");
}

static void test_a_folder_without_a_bundle_is_refused(void) {
    const bundle_copy copy = empty_bundle();
    expect_refusal(&copy, ONNXHEAD_BAD_BUNDLE, "has none: name the bundle's folder");
}

static void test_a_missing_runtime_is_refused(void) {
    const bundle_copy copy = copy_bundle();
    setenv("ORT_DYLIB_PATH", "/nowhere/libonnxruntime.so", 1);
    expect_refusal(&copy, ONNXHEAD_NO_RUNTIME, "set ORT_DYLIB_PATH to its absolute path");
}

int main(void) {
    test_a_copy_is_a_bundle();
    test_a_changed_model_is_refused();
    test_other_labels_are_refused();
    test_another_width_than_the_models_is_refused();
    test_what_is_no_bundle_is_refused();
    test_a_missing_file_is_refused();
    test_what_is_no_json_is_refused();
    test_a_folder_without_a_bundle_is_refused();
    test_a_missing_runtime_is_refused();
    return 0;
}
