#ifndef ONNXHEAD_RUNTIME_H
#define ONNXHEAD_RUNTIME_H

#include "onnxhead_client.h"
#include <onnxruntime_c_api.h>

/** libonnxruntime, which stays loaded until the program ends. */
typedef struct onnxhead_runtime {
    /** Functions of 1.17 and no newer ones: releases only append to the table. */
    const OrtApi *api;
    const char *version;
} onnxhead_runtime;

/** Load libonnxruntime. */
onnxhead_status onnxhead_open_runtime(onnxhead_runtime *runtime, onnxhead_error *error);

#endif
