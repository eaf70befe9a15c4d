#ifndef CASES_H
#define CASES_H

#include "onnxhead_client.h"
#include <cjson/cJSON.h>

/** One batch of a bundle with its exact answers, row by row. */
typedef struct check_case {
    const char *name;
    const cJSON *labels; /**< one per row, null where float32 arithmetic may decide otherwise */
    size_t rows;
    float *features;
    float *logits;
    float *probabilities;
    float *logits_tolerance;        /**< one per logit */
    float *probabilities_tolerance; /**< one per probability */
} check_case;

/** The cases of a bundle. All zero, there are none. */
typedef struct check_cases {
    cJSON *document; /**< owns names and labels */
    check_case *items;
    size_t count;
} check_cases;

/**
 * Read the cases of a bundle: names and labels from vectors.json, numbers from test_data_set_N.
 *
 * @param[out] cases Empty before; to be freed also where reading fails.
 */
onnxhead_status read_cases(const char *folder, const onnxhead_classifier *classifier,
                           check_cases *cases, onnxhead_error *error);

/** Free what cases own. */
void free_cases(check_cases *cases);

#endif
