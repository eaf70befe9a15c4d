#include "testing.h"
#include <stdlib.h>

/* One row of answers. */
typedef struct answer {
    const onnxhead_classifier *classifier;
    size_t classes;
    const onnxhead_label *labels;
    const float *logits;
    const float *probabilities;
} answer;

static void test_the_top_labels_are_in_order(const answer *row) {
    onnxhead_ranked *top = malloc(row->classes * sizeof *top);
    bool *is_seen = calloc(row->classes, sizeof *is_seen);
    size_t count = 0;
    assert(onnxhead_row_top(row->classifier, row->logits, row->probabilities, row->classes + 1, top,
                            &count, NULL) == ONNXHEAD_OK);
    assert(count == row->classes);
    assert(top[0].label == onnxhead_row_label(row->classifier, row->logits, row->probabilities));
    for (size_t i = 0; i < count; i++) {
        const size_t class_number = (size_t)(top[i].label - row->labels);
        assert(!is_seen[class_number]);
        is_seen[class_number] = true;
        assert(top[i].probability == row->probabilities[class_number]);
        assert(i == 0 || top[i].probability <= top[i - 1].probability);
    }
    free(is_seen);
    free(top);
}

static void test_fewer_labels_are_the_first_of_all(const answer *row) {
    onnxhead_ranked top;
    size_t count = 0;
    assert(onnxhead_row_top(row->classifier, row->logits, row->probabilities, 1, &top, &count,
                            NULL) == ONNXHEAD_OK);
    assert(count == 1);
    assert(top.label == onnxhead_row_label(row->classifier, row->logits, row->probabilities));
}

static void test_the_earlier_of_equal_classes_is_first(const answer *row) {
    float *equal = zeros(row->classes);
    onnxhead_ranked *top = malloc(row->classes * sizeof *top);
    size_t count = 0;
    assert(onnxhead_row_label(row->classifier, equal, equal) == &row->labels[0]);
    onnxhead_row_top(row->classifier, equal, equal, row->classes, top, &count, NULL);
    for (size_t i = 0; i < count; i++) {
        assert(top[i].label == &row->labels[i]);
    }
    free(top);
    free(equal);
}

static void test_no_top_labels_are_refused(const answer *row) {
    onnxhead_ranked top;
    size_t count = 1;
    onnxhead_error error;
    assert(onnxhead_row_top(row->classifier, row->logits, row->probabilities, 0, &top, &count,
                            &error) == ONNXHEAD_BAD_ARGUMENT);
    assert(says(error.message, "k must be at least 1, got 0"));
}

static void test_labels_above_a_threshold_are_in_the_order_of_the_classes(const answer *row) {
    const onnxhead_label **above = malloc(row->classes * sizeof *above);
    assert(onnxhead_row_above(row->classifier, row->probabilities, -1, above) == row->classes);
    for (size_t i = 0; i < row->classes; i++) {
        assert(above[i] == &row->labels[i]);
    }
    assert(onnxhead_row_above(row->classifier, row->probabilities, 1, above) == 0);
    free(above);
}

int main(void) {
    onnxhead_classifier *classifier = load_bundle();
    const size_t features = onnxhead_get_features(classifier);
    const size_t classes = onnxhead_get_classes(classifier);
    float *features_of_row = zeros(features);
    float *answers = zeros(2 * classes);
    assert(onnxhead_classify(classifier, features_of_row, 1, features, answers, answers + classes,
                             NULL) == ONNXHEAD_OK);
    const answer row = {classifier, classes, onnxhead_get_labels(classifier), answers,
                        answers + classes};
    test_the_top_labels_are_in_order(&row);
    test_fewer_labels_are_the_first_of_all(&row);
    test_the_earlier_of_equal_classes_is_first(&row);
    test_no_top_labels_are_refused(&row);
    test_labels_above_a_threshold_are_in_the_order_of_the_classes(&row);
    free(answers);
    free(features_of_row);
    onnxhead_free(classifier);
    return 0;
}
