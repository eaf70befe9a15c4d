#include "comparison.h"

#include "description.h"
#include "error.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

double larger_error(double one, double other) { return isnan(one) || one > other ? one : other; }

static void blame(comparison *result, const char *format, ...) {
    if (result->reason[0] == '\0') {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(result->reason, sizeof result->reason, format, arguments);
        va_end(arguments);
    }
}

static void compare_values(const char *what, size_t row, size_t classes, const float *got,
                           const float *expected, const float *tolerance, comparison *result) {
    for (size_t i = 0; i < classes; i++) {
        const double ratio = fabs((double)got[i] - expected[i]) / tolerance[i];
        result->largest = larger_error(ratio, result->largest);
        if (!(ratio <= 1)) { // also where it is NaN
            blame(result, "%s of row %zu, class %zu is %.6g, expected %.6g within %.2g", what, row,
                  i, got[i], expected[i], tolerance[i]);
        }
    }
}

/* Tells whether labels are the one that is stated, or with the link sigmoid all of them. */
static bool is_decision(const cJSON *stated, const onnxhead_label *const *labels, size_t count) {
    if (!cJSON_IsArray(stated)) {
        return count == 1 && onnxhead_is_label(stated, labels[0]);
    }
    size_t same = 0;
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, stated) {
        if (same == count || !onnxhead_is_label(item, labels[same])) {
            return false;
        }
        same++;
    }
    return same == count;
}

static void compare_labels(size_t row, const cJSON *stated, const onnxhead_label *const *labels,
                           size_t count, comparison *result) {
    if (cJSON_IsNull(stated) || is_decision(stated, labels, count)) {
        return;
    }
    char *text = cJSON_PrintUnformatted(stated);
    blame(result, "label of row %zu is another than %s, which is expected", row,
          text != NULL ? text : "that");
    cJSON_free(text);
}

static void compare_row(const onnxhead_classifier *classifier, const check_case *expected,
                        size_t row, const float *logits, const float *probabilities,
                        const onnxhead_label **labels, comparison *result) {
    const size_t classes = onnxhead_get_classes(classifier);
    const size_t start = row * classes;
    compare_values("logit", row, classes, logits, expected->logits + start,
                   expected->logits_tolerance + start, result);
    compare_values("probability", row, classes, probabilities, expected->probabilities + start,
                   expected->probabilities_tolerance + start, result);
    size_t count = 0;
    if (onnxhead_get_link(classifier) == ONNXHEAD_SIGMOID) {
        count = onnxhead_row_above(classifier, probabilities, 0.5F, labels);
    } else {
        labels[0] = onnxhead_row_label(classifier, logits, probabilities);
        count = labels[0] != NULL;
    }
    compare_labels(row, cJSON_GetArrayItem(expected->labels, (int)row), labels, count, result);
}

/* Compares the first rows of a case, as many as are asked for, as one batch. */
static void compare_rows(const onnxhead_classifier *classifier, const check_case *expected,
                         size_t rows, float *logits, float *probabilities,
                         const onnxhead_label **labels, comparison *result) {
    const size_t classes = onnxhead_get_classes(classifier);
    onnxhead_error error;
    if (onnxhead_classify(classifier, expected->features, rows, onnxhead_get_features(classifier),
                          logits, probabilities, &error) != ONNXHEAD_OK) {
        blame(result, "%s", error.message);
        return;
    }
    for (size_t row = 0; row < rows; row++) {
        compare_row(classifier, expected, row, logits + row * classes,
                    probabilities + row * classes, labels, result);
    }
}

onnxhead_status compare_case(const onnxhead_classifier *classifier, const check_case *expected,
                             comparison *result, onnxhead_error *error) {
    const size_t classes = onnxhead_get_classes(classifier);
    const size_t answers = (expected->rows + 1) * classes; // never of nothing
    float *logits = malloc(answers * sizeof *logits);
    float *probabilities = malloc(answers * sizeof *probabilities);
    const onnxhead_label **labels = malloc(classes * sizeof *labels);
    const bool has_memory = logits != NULL && probabilities != NULL && labels != NULL;
    *result = (comparison){0};
    if (has_memory) {
        compare_rows(classifier, expected, expected->rows, logits, probabilities, labels, result);
        if (expected->rows > 0) {
            compare_rows(classifier, expected, 1, logits, probabilities, labels, result);
        }
    }
    free(labels);
    free(probabilities);
    free(logits);
    return has_memory ? ONNXHEAD_OK : onnxhead_fail_memory(error);
}
