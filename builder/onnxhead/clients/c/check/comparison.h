#ifndef COMPARISON_H
#define COMPARISON_H

#include "cases.h"
#include "onnxhead_client.h"

/** How a case went. */
typedef struct comparison {
    double largest;   /**< error as a fraction of its tolerance */
    char reason[512]; /**< the first thing that is wrong; empty where nothing is */
} comparison;

/** Return the larger error, NaN being the largest. */
double larger_error(double one, double other);

/**
 * Compare the answers to a case as one batch, and to its first row alone, with the exact ones.
 *
 * @return ONNXHEAD_FAILED without memory; a classifier that fails is a reason.
 */
onnxhead_status compare_case(const onnxhead_classifier *classifier, const check_case *expected,
                             comparison *result, onnxhead_error *error);

#endif
