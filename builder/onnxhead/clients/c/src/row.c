#include "classifier.h"
#include "error.h"
#include <math.h>
#include <string.h>

static bool is_defined(const onnxhead_classifier *classifier, const float *probabilities) {
    for (size_t i = 0; i < classifier->description.classes; i++) {
        if (isnan(probabilities[i])) {
            return false;
        }
    }
    return true;
}

const onnxhead_label *onnxhead_row_label(const onnxhead_classifier *classifier, const float *logits,
                                         const float *probabilities) {
    if (!is_defined(classifier, probabilities)) {
        return NULL;
    }
    size_t best = 0;
    for (size_t i = 1; i < classifier->description.classes; i++) {
        if (logits[i] > logits[best]) {
            best = i;
        }
    }
    return &classifier->description.labels[best];
}

size_t onnxhead_row_above(const onnxhead_classifier *classifier, const float *probabilities,
                          float threshold, const onnxhead_label **labels) {
    if (!is_defined(classifier, probabilities)) {
        return 0;
    }
    size_t count = 0;
    for (size_t i = 0; i < classifier->description.classes; i++) {
        if (probabilities[i] > threshold) {
            labels[count++] = &classifier->description.labels[i];
        }
    }
    return count;
}

onnxhead_status onnxhead_row_top(const onnxhead_classifier *classifier, const float *logits,
                                 const float *probabilities, size_t k, onnxhead_ranked *top,
                                 size_t *count, onnxhead_error *error) {
    const onnxhead_label *labels = classifier->description.labels;
    *count = 0;
    if (k < 1) {
        return onnxhead_fail(error, ONNXHEAD_BAD_ARGUMENT,
                             "k must be at least 1, got 0: ask for one label or more");
    }
    if (!is_defined(classifier, probabilities)) {
        return ONNXHEAD_OK;
    }
    for (size_t i = 0; i < classifier->description.classes; i++) {
        size_t place = *count;
        while (place > 0 && logits[i] > logits[top[place - 1].label - labels]) {
            place--;
        }
        if (place == k) {
            continue;
        }
        if (*count < k) {
            ++*count;
        }
        memmove(&top[place + 1], &top[place], (*count - 1 - place) * sizeof *top);
        top[place] = (onnxhead_ranked){&labels[i], probabilities[i]};
    }
    return ONNXHEAD_OK;
}
