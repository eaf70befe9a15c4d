#include "cases.h"
#include "comparison.h"
#include "testing.h"

static void test_every_vector_is_within_its_tolerance(const onnxhead_classifier *classifier,
                                                      const check_cases *cases) {
    double largest = 0;
    size_t rows = 0;
    for (size_t i = 0; i < cases->count; i++) {
        comparison result;
        assert(compare_case(classifier, &cases->items[i], &result, NULL) == ONNXHEAD_OK);
        assert(result.reason[0] == '\0');
        largest = larger_error(largest, result.largest);
        rows += cases->items[i].rows;
    }
    assert(largest <= 1);
    assert(rows >= 16);
}

static void test_a_vector_that_is_wrong_fails(const onnxhead_classifier *classifier,
                                              check_case *wrong) {
    comparison result;
    const float right = wrong->logits[0];
    wrong->logits[0] += 2 * wrong->logits_tolerance[0];
    assert(compare_case(classifier, wrong, &result, NULL) == ONNXHEAD_OK);
    wrong->logits[0] = right;
    assert(says(result.reason, "logit of row 0, class 0 is"));
    assert(result.largest > 1);
}

static void test_a_label_that_is_wrong_fails(const onnxhead_classifier *classifier,
                                             check_case *wrong) {
    comparison result;
    const cJSON *right = wrong->labels;
    cJSON *others = cJSON_CreateArray();
    for (size_t row = 0; row < wrong->rows; row++) {
        cJSON_AddItemToArray(others, cJSON_CreateString("another"));
    }
    wrong->labels = others;
    assert(compare_case(classifier, wrong, &result, NULL) == ONNXHEAD_OK);
    wrong->labels = right;
    cJSON_Delete(others);
    assert(says(result.reason, "label of row 0 is another than \"another\", which is expected"));
}

int main(void) {
    onnxhead_classifier *classifier = load_bundle();
    check_cases cases = {0};
    assert(read_cases(BUNDLE, classifier, &cases, NULL) == ONNXHEAD_OK);
    test_every_vector_is_within_its_tolerance(classifier, &cases);
    test_a_vector_that_is_wrong_fails(classifier, &cases.items[0]);
    test_a_label_that_is_wrong_fails(classifier, &cases.items[0]);
    free_cases(&cases);
    onnxhead_free(classifier);
    return 0;
}
