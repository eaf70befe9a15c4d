/* Compares the answers of a bundle's model with its vectors: check [--time] [BUNDLE]. */

#include "cases.h"
#include "comparison.h"
#include "timing.h"
#include <stdio.h>
#include <string.h>

/* Prints what is wrong, and counts the cases where something is. */
static onnxhead_status print_comparisons(const onnxhead_classifier *classifier,
                                         const check_cases *cases, size_t *failed,
                                         onnxhead_error *error) {
    double largest = 0;
    for (size_t i = 0; i < cases->count; i++) {
        comparison result;
        const onnxhead_status status = compare_case(classifier, &cases->items[i], &result, error);
        if (status != ONNXHEAD_OK) {
            return status;
        }
        largest = larger_error(result.largest, largest);
        if (result.reason[0] != '\0') {
            printf("FAILED %s: %s\n", cases->items[i].name, result.reason);
            ++*failed;
        }
    }
    printf("largest error: %.3g of its tolerance\n", largest);
    printf("%zu passed, %zu failed\n", cases->count - *failed, *failed);
    return ONNXHEAD_OK;
}

static onnxhead_status print_time(const onnxhead_classifier *classifier, onnxhead_error *error) {
    double microseconds = 0;
    const onnxhead_status status = measure_row(classifier, &microseconds, error);
    if (status == ONNXHEAD_OK) {
        printf("one row: %.2f us\n", microseconds);
    }
    return status;
}

static onnxhead_status check(const char *folder, bool is_timed, size_t *failed,
                             onnxhead_error *error) {
    onnxhead_classifier *classifier = NULL;
    check_cases cases = {0};
    onnxhead_status status = onnxhead_load(folder, &classifier, error);
    if (status == ONNXHEAD_OK) {
        status = read_cases(folder, classifier, &cases, error);
    }
    if (status == ONNXHEAD_OK) {
        status = is_timed ? print_time(classifier, error)
                          : print_comparisons(classifier, &cases, failed, error);
    }
    free_cases(&cases);
    onnxhead_free(classifier);
    return status;
}

/* Reads the arguments; false where they hold another option, or a second folder. */
static bool parse_arguments(int argc, char **argv, const char **folder, bool *is_timed) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--time") == 0) {
            *is_timed = true;
        } else if (argv[i][0] != '-' && *folder == NULL) {
            *folder = argv[i];
        } else {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv) {
    const char *folder = NULL;
    bool is_timed = false;
    if (!parse_arguments(argc, argv, &folder, &is_timed)) {
        fputs("usage: check [--time] [BUNDLE]\n", stderr);
        return 2;
    }
    size_t failed = 0;
    onnxhead_error error;
    if (check(folder == NULL ? "bundle" : folder, is_timed, &failed, &error) != ONNXHEAD_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 2;
    }
    return failed > 0 ? 1 : 0;
}
