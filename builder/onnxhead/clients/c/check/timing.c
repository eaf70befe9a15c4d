#include "timing.h"

#include "error.h"
#include <stdlib.h>
#include <time.h>

enum { WARMUP = 200, CALLS = 2000 };

static double now_in_microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int by_value(const void *one, const void *other) {
    const double a = *(const double *)one;
    const double b = *(const double *)other;
    return (a > b) - (a < b);
}

onnxhead_status measure_row(const onnxhead_classifier *classifier, double *microseconds,
                            onnxhead_error *error) {
    const size_t features = onnxhead_get_features(classifier);
    const size_t classes = onnxhead_get_classes(classifier);
    float *row = calloc(features + 2 * classes, sizeof *row);
    if (row == NULL) {
        return onnxhead_fail_memory(error);
    }
    float *logits = row + features;
    double times[CALLS];
    onnxhead_status status = ONNXHEAD_OK;
    for (int i = -WARMUP; status == ONNXHEAD_OK && i < CALLS; i++) {
        const double start = now_in_microseconds();
        status = onnxhead_classify(classifier, row, 1, features, logits, logits + classes, error);
        if (i >= 0) {
            times[i] = now_in_microseconds() - start;
        }
    }
    free(row);
    if (status == ONNXHEAD_OK) {
        qsort(times, CALLS, sizeof *times, by_value);
        *microseconds = (times[CALLS / 2 - 1] + times[CALLS / 2]) / 2;
    }
    return status;
}
