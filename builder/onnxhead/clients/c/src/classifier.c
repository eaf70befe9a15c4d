#include "classifier.h"

#include "error.h"
#include <stdlib.h>

onnxhead_status onnxhead_load(const char *folder, onnxhead_classifier **classifier,
                              onnxhead_error *error) {
    *classifier = NULL;
    onnxhead_classifier *loading = calloc(1, sizeof *loading);
    if (loading == NULL) {
        return onnxhead_fail_memory(error);
    }
    onnxhead_status status = onnxhead_read_description(folder, &loading->description, error);
    if (status == ONNXHEAD_OK) {
        status = onnxhead_open_session(&loading->description, &loading->session, error);
    }
    if (status == ONNXHEAD_OK) {
        *classifier = loading;
    } else {
        onnxhead_free(loading);
    }
    return status;
}

void onnxhead_free(onnxhead_classifier *classifier) {
    if (classifier != NULL) {
        onnxhead_close_session(&classifier->session);
        onnxhead_free_description(&classifier->description);
        free(classifier);
    }
}

size_t onnxhead_get_features(const onnxhead_classifier *classifier) {
    return classifier->description.features;
}

size_t onnxhead_get_classes(const onnxhead_classifier *classifier) {
    return classifier->description.classes;
}

const onnxhead_label *onnxhead_get_labels(const onnxhead_classifier *classifier) {
    return classifier->description.labels;
}

onnxhead_link onnxhead_get_link(const onnxhead_classifier *classifier) {
    return classifier->description.link;
}

/* Makes a tensor of the caller's floats, without a copy. */
static OrtStatus *wrap(const onnxhead_session *session, float *values, size_t rows, size_t width,
                       OrtValue **tensor) {
    const int64_t shape[2] = {(int64_t)rows, (int64_t)width};
    return session->runtime.api->CreateTensorWithDataAsOrtValue(
        session->memory, values, rows * width * sizeof *values, shape, 2,
        ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, tensor);
}

onnxhead_status onnxhead_classify(const onnxhead_classifier *classifier, const float *features,
                                  size_t rows, size_t width, float *logits, float *probabilities,
                                  onnxhead_error *error) {
    const onnxhead_description *description = &classifier->description;
    const onnxhead_session *session = &classifier->session;
    const OrtApi *api = session->runtime.api;
    if (width != description->features) {
        return onnxhead_fail(error, ONNXHEAD_BAD_ARGUMENT,
                             "a row must have %zu features, got %zu: pass those that the head was "
                             "trained on, in their order",
                             description->features, width);
    }
    if (rows == 0) {
        return ONNXHEAD_OK;
    }
    OrtValue *input = NULL;
    OrtValue *outputs[2] = {NULL, NULL};
    // onnxruntime only reads what is an input
    OrtStatus *failure = wrap(session, (float *)features, rows, width, &input);
    if (failure == NULL) {
        failure = wrap(session, logits, rows, description->classes, &outputs[0]);
    }
    if (failure == NULL) {
        failure = wrap(session, probabilities, rows, description->classes, &outputs[1]);
    }
    if (failure == NULL) {
        failure = api->Run(session->model, NULL, &description->input,
                           (const OrtValue *const *)&input, 1, description->outputs, 2, outputs);
    }
    api->ReleaseValue(outputs[1]);
    api->ReleaseValue(outputs[0]);
    api->ReleaseValue(input);
    if (failure == NULL) {
        return ONNXHEAD_OK;
    }
    onnxhead_fail(error, ONNXHEAD_FAILED, "onnxruntime %s fails: %s", session->runtime.version,
                  api->GetErrorMessage(failure));
    api->ReleaseStatus(failure);
    return ONNXHEAD_FAILED;
}
