#ifndef TIMING_H
#define TIMING_H

#include "onnxhead_client.h"

/**
 * Measure the median time of a call that classifies one row.
 *
 * @param[out] microseconds The time.
 */
onnxhead_status measure_row(const onnxhead_classifier *classifier, double *microseconds,
                            onnxhead_error *error);

#endif
