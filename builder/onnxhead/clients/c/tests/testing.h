#ifndef TESTING_H
#define TESTING_H

/* The tests are of asserts, also in a build for release. */
#undef NDEBUG
#include <assert.h> // IWYU pragma: export

#include "onnxhead_client.h"
#include <stdbool.h>

/** The bundle that lies in the project's root, where the tests run. */
#define BUNDLE "bundle"

/** Load the bundle. */
onnxhead_classifier *load_bundle(void);

/** Return new floats that are all zero. */
float *zeros(size_t count);

/** Tell whether a message has a text in it. */
bool says(const char *message, const char *text);

#endif
