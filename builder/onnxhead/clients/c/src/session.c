#include "session.h"

#include "error.h"
#include <string.h>

/* What SessionGetInputName and SessionGetInputTypeInfo are, and the same of outputs. */
typedef OrtStatus *(*name_getter)(const OrtSession *, size_t, OrtAllocator *, char **);
typedef OrtStatus *(*type_getter)(const OrtSession *, size_t, OrtTypeInfo **);

static OrtStatus *load_model(onnxhead_session *session, const char *path) {
    const OrtApi *api = session->runtime.api;
    OrtSessionOptions *options = NULL;
    OrtStatus *failure =
        api->CreateEnv(ORT_LOGGING_LEVEL_WARNING, "onnxhead", &session->environment);
    if (failure == NULL) {
        failure = api->CreateSessionOptions(&options);
    }
    if (failure == NULL) {
        failure = api->SetIntraOpNumThreads(options, 1);
    }
    if (failure == NULL) {
        failure = api->CreateSession(session->environment, path, options, &session->model);
    }
    if (failure == NULL) {
        failure = api->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &session->memory);
    }
    if (failure == NULL) {
        failure = api->GetAllocatorWithDefaultOptions(&session->allocator);
    }
    api->ReleaseSessionOptions(options);
    return failure;
}

/* Tells whether a type is float32 [batch, width]. */
static OrtStatus *is_matrix(const OrtApi *api, const OrtTypeInfo *type, size_t width,
                            bool *matches) {
    const OrtTensorTypeAndShapeInfo *tensor = NULL;
    ONNXTensorElementDataType element = ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
    size_t rank = 0;
    int64_t shape[2] = {0, 0};
    OrtStatus *failure = api->CastTypeInfoToTensorInfo(type, &tensor);
    if (failure != NULL || tensor == NULL) {
        return failure;
    }
    failure = api->GetTensorElementType(tensor, &element);
    if (failure == NULL) {
        failure = api->GetDimensionsCount(tensor, &rank);
    }
    if (failure == NULL && rank == 2) {
        failure = api->GetDimensions(tensor, shape, rank);
    }
    *matches = element == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT && shape[1] == (int64_t)width;
    return failure;
}

/* Tells whether an input or output has the name that is stated and is float32 [batch, width]. */
static OrtStatus *has_value(const onnxhead_session *session, name_getter get_name,
                            type_getter get_type, size_t index, const char *stated, size_t width,
                            bool *matches) {
    const OrtApi *api = session->runtime.api;
    char *name = NULL;
    OrtTypeInfo *type = NULL;
    *matches = false;
    OrtStatus *failure = get_name(session->model, index, session->allocator, &name);
    if (failure == NULL) {
        failure = get_type(session->model, index, &type);
    }
    if (failure == NULL && strcmp(name, stated) == 0) {
        failure = is_matrix(api, type, width, matches);
    }
    api->ReleaseTypeInfo(type);
    if (name != NULL) {
        session->allocator->Free(session->allocator, name);
    }
    return failure;
}

static OrtStatus *has_values(const onnxhead_session *session,
                             const onnxhead_description *description, bool *matches) {
    const OrtApi *api = session->runtime.api;
    size_t inputs = 0;
    size_t outputs = 0;
    OrtStatus *failure = api->SessionGetInputCount(session->model, &inputs);
    if (failure == NULL) {
        failure = api->SessionGetOutputCount(session->model, &outputs);
    }
    *matches = inputs == 1 && outputs == 2;
    if (failure == NULL && *matches) {
        failure = has_value(session, api->SessionGetInputName, api->SessionGetInputTypeInfo, 0,
                            description->input, description->features, matches);
    }
    for (size_t i = 0; failure == NULL && *matches && i < 2; i++) {
        failure = has_value(session, api->SessionGetOutputName, api->SessionGetOutputTypeInfo, i,
                            description->outputs[i], description->classes, matches);
    }
    return failure;
}

/* Finds the labels in the model's metadata, to be freed; NULL where there are none. */
static OrtStatus *find_labels(const onnxhead_session *session, char **labels) {
    const OrtApi *api = session->runtime.api;
    OrtModelMetadata *metadata = NULL;
    OrtStatus *failure = api->SessionGetModelMetadata(session->model, &metadata);
    if (failure == NULL) {
        failure = api->ModelMetadataLookupCustomMetadataMap(metadata, session->allocator,
                                                            "onnxhead.labels", labels);
    }
    api->ReleaseModelMetadata(metadata);
    return failure;
}

/* Turns what onnxruntime says of a model into an error. */
static onnxhead_status accepted(const onnxhead_session *session, const char *path,
                                OrtStatus *failure, onnxhead_error *error) {
    if (failure == NULL) {
        return ONNXHEAD_OK;
    }
    const OrtApi *api = session->runtime.api;
    onnxhead_fail(error, ONNXHEAD_BAD_BUNDLE,
                  "%s must load in onnxruntime, %s refuses it (%s): take a newer onnxruntime, or "
                  "copy the bundle again, as a whole",
                  path, session->runtime.version, api->GetErrorMessage(failure));
    api->ReleaseStatus(failure);
    return ONNXHEAD_BAD_BUNDLE;
}

static onnxhead_status check_values(const onnxhead_session *session,
                                    const onnxhead_description *description,
                                    onnxhead_error *error) {
    bool matches = false;
    const onnxhead_status status =
        accepted(session, description->model, has_values(session, description, &matches), error);
    if (status == ONNXHEAD_OK && !matches) {
        return onnxhead_fail(error, ONNXHEAD_BAD_BUNDLE,
                             "the model must have the inputs and outputs of head.json, float32 "
                             "[batch, %zu] and twice [batch, %zu], %s has others: copy the bundle "
                             "again, as a whole",
                             description->features, description->classes, description->model);
    }
    return status;
}

static onnxhead_status check_labels(const onnxhead_session *session,
                                    const onnxhead_description *description,
                                    onnxhead_error *error) {
    char *labels = NULL;
    onnxhead_status status =
        accepted(session, description->model, find_labels(session, &labels), error);
    if (status == ONNXHEAD_OK) {
        status = onnxhead_check_labels(description, labels, error);
    }
    if (labels != NULL) {
        session->allocator->Free(session->allocator, labels);
    }
    return status;
}

onnxhead_status onnxhead_open_session(const onnxhead_description *description,
                                      onnxhead_session *session, onnxhead_error *error) {
    onnxhead_status status = onnxhead_open_runtime(&session->runtime, error);
    if (status == ONNXHEAD_OK) {
        status =
            accepted(session, description->model, load_model(session, description->model), error);
    }
    if (status == ONNXHEAD_OK) {
        status = check_values(session, description, error);
    }
    if (status == ONNXHEAD_OK) {
        status = check_labels(session, description, error);
    }
    return status;
}

void onnxhead_close_session(onnxhead_session *session) {
    const OrtApi *api = session->runtime.api;
    if (api != NULL) {
        api->ReleaseMemoryInfo(session->memory);
        api->ReleaseSession(session->model);
        api->ReleaseEnv(session->environment);
    }
}
