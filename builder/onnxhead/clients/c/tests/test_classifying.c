#include "testing.h"
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 8, CALLS = 25 };

/* What one thread classifies, and what it should get. */
typedef struct share {
    const onnxhead_classifier *classifier;
    const float *row;
    const float *logits;
} share;

static void test_no_rows_have_no_answers(const onnxhead_classifier *classifier) {
    assert(onnxhead_classify(classifier, NULL, 0, onnxhead_get_features(classifier), NULL, NULL,
                             NULL) == ONNXHEAD_OK);
}

static void
test_a_row_with_nan_has_no_label_and_others_have(const onnxhead_classifier *classifier) {
    const size_t features = onnxhead_get_features(classifier);
    const size_t classes = onnxhead_get_classes(classifier);
    float *rows = zeros(2 * features);
    float *logits = zeros(2 * classes);
    float *probabilities = zeros(2 * classes);
    const onnxhead_label **above = malloc(classes * sizeof *above);
    onnxhead_ranked top;
    size_t count = 1;
    rows[0] = NAN;
    assert(onnxhead_classify(classifier, rows, 2, features, logits, probabilities, NULL) ==
           ONNXHEAD_OK);
    assert(onnxhead_row_label(classifier, logits, probabilities) == NULL);
    assert(onnxhead_row_above(classifier, probabilities, -1, above) == 0);
    assert(onnxhead_row_top(classifier, logits, probabilities, 1, &top, &count, NULL) ==
           ONNXHEAD_OK);
    assert(count == 0);
    assert(onnxhead_row_label(classifier, logits + classes, probabilities + classes) != NULL);
    free(above);
    free(probabilities);
    free(logits);
    free(rows);
}

static void test_another_width_is_refused(const onnxhead_classifier *classifier) {
    const size_t features = onnxhead_get_features(classifier);
    float *row = zeros(features + 1);
    onnxhead_error error;
    assert(onnxhead_classify(classifier, row, 1, features + 1, NULL, NULL, &error) ==
           ONNXHEAD_BAD_ARGUMENT);
    assert(says(error.message, "pass those that the head was trained on, in their order"));
    assert(onnxhead_classify(classifier, row, 1, features - 1, NULL, NULL, NULL) ==
           ONNXHEAD_BAD_ARGUMENT);
    free(row);
}

static void *classify_repeatedly(void *argument) {
    const share *mine = argument;
    const size_t classes = onnxhead_get_classes(mine->classifier);
    float *answers = zeros(2 * classes);
    for (int i = 0; i < CALLS; i++) {
        assert(onnxhead_classify(mine->classifier, mine->row, 1,
                                 onnxhead_get_features(mine->classifier), answers,
                                 answers + classes, NULL) == ONNXHEAD_OK);
        assert(memcmp(answers, mine->logits, classes * sizeof *answers) == 0);
    }
    free(answers);
    return NULL;
}

static void test_several_threads_get_the_same_answers(const onnxhead_classifier *classifier) {
    const size_t features = onnxhead_get_features(classifier);
    const size_t classes = onnxhead_get_classes(classifier);
    float *row = zeros(features);
    float *answers = zeros(2 * classes);
    for (size_t i = 0; i < features; i++) {
        row[i] = (float)i / (float)features;
    }
    assert(onnxhead_classify(classifier, row, 1, features, answers, answers + classes, NULL) ==
           ONNXHEAD_OK);
    share every = {classifier, row, answers};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert(pthread_create(&threads[i], NULL, classify_repeatedly, &every) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    free(answers);
    free(row);
}

int main(void) {
    onnxhead_classifier *classifier = load_bundle();
    test_no_rows_have_no_answers(classifier);
    test_a_row_with_nan_has_no_label_and_others_have(classifier);
    test_another_width_is_refused(classifier);
    test_several_threads_get_the_same_answers(classifier);
    onnxhead_free(classifier);
    return 0;
}
