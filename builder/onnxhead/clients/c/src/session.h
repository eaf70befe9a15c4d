#ifndef ONNXHEAD_SESSION_H
#define ONNXHEAD_SESSION_H

#include "description.h"
#include "runtime.h"

/** A model in onnxruntime. All zero, it is empty. */
typedef struct onnxhead_session {
    onnxhead_runtime runtime;
    OrtEnv *environment;
    OrtSession *model;
    OrtMemoryInfo *memory;
    OrtAllocator *allocator; /**< onnxruntime's own, never to be released */
} onnxhead_session;

/**
 * Load the model that a description names, and hold it to what that says.
 *
 * @param[out] session Empty before; to be closed also where opening fails.
 */
onnxhead_status onnxhead_open_session(const onnxhead_description *description,
                                      onnxhead_session *session, onnxhead_error *error);

/** Release what a session owns. */
void onnxhead_close_session(onnxhead_session *session);

#endif
