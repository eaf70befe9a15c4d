#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

onnxhead_classifier *load_bundle(void) {
    onnxhead_classifier *classifier = NULL;
    onnxhead_error error;
    if (onnxhead_load(BUNDLE, &classifier, &error) != ONNXHEAD_OK) {
        fprintf(stderr, "%s\n", error.message);
    }
    assert(classifier != NULL);
    return classifier;
}

float *zeros(size_t count) {
    float *values = calloc(count, sizeof *values);
    assert(values != NULL);
    return values;
}

bool says(const char *message, const char *text) {
    const bool found = strstr(message, text) != NULL;
    if (!found) {
        fprintf(stderr, "\"%s\" does not say \"%s\"\n", message, text);
    }
    return found;
}
