/**
 * @file
 * Runs a classification head that onnxhead shipped: logits, probabilities and labels.
 *
 * Load a bundle once with onnxhead_load(), then classify from as many threads as you like. The
 * caller owns every buffer of floats: `rows * classes` logits and as many probabilities, row by
 * row. The functions onnxhead_row_...() read one row of them.
 */
#ifndef ONNXHEAD_CLIENT_H
#define ONNXHEAD_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What became of a call. */
typedef enum onnxhead_status {
    ONNXHEAD_OK,
    /** A folder is no bundle, or its files are not those that were shipped. */
    ONNXHEAD_BAD_BUNDLE,
    /** A row has another width, or `k` is 0. */
    ONNXHEAD_BAD_ARGUMENT,
    /** libonnxruntime was not found, or is older than 1.17. */
    ONNXHEAD_NO_RUNTIME,
    /** onnxruntime or the system failed, such as for want of memory. */
    ONNXHEAD_FAILED
} onnxhead_status;

/** Why a call failed: the rule, what was given, the remedy. Written only where one does. */
typedef struct onnxhead_error {
    char message[1024];
} onnxhead_error;

/** What a label is. */
typedef enum onnxhead_label_type {
    ONNXHEAD_TEXT,
    ONNXHEAD_NUMBER,
    ONNXHEAD_BOOLEAN
} onnxhead_label_type;

/** The label of one class. */
typedef struct onnxhead_label {
    onnxhead_label_type type;
    union {
        const char *text; /**< UTF-8 */
        double number;    /**< an integer (within 2^53, so exact) or a decimal */
        bool boolean;
    } value;
} onnxhead_label;

/** How logits become probabilities. */
typedef enum onnxhead_link {
    ONNXHEAD_SOFTMAX,
    ONNXHEAD_SIGMOID, /**< the labels are independent: ask for those above 0.5 */
    ONNXHEAD_OVR      /**< one versus rest, normalised */
} onnxhead_link;

/** A label with its probability. */
typedef struct onnxhead_ranked {
    const onnxhead_label *label;
    float probability;
} onnxhead_ranked;

/** A head that is loaded. */
typedef struct onnxhead_classifier onnxhead_classifier;

/**
 * Load a bundle, once its files have proved to be those that were shipped.
 *
 * libonnxruntime is loaded with it: the one that the environment variable ORT_DYLIB_PATH names,
 * else the system's. It gets one thread, since a head is small and callers have threads of their
 * own, and it stays loaded. ORT_DISABLE_TELEMETRY=1 is set before, unless the environment says
 * otherwise; other threads must not change the environment meanwhile.
 *
 * @param folder The folder of the bundle.
 * @param[out] classifier To be freed with onnxhead_free(); NULL where loading fails.
 * @param[out] error Why it failed; may be NULL.
 * @return ONNXHEAD_OK, ONNXHEAD_BAD_BUNDLE, ONNXHEAD_NO_RUNTIME or ONNXHEAD_FAILED.
 */
onnxhead_status onnxhead_load(const char *folder, onnxhead_classifier **classifier,
                              onnxhead_error *error);

/** Free a classifier, and with it its labels; NULL is fine. */
void onnxhead_free(onnxhead_classifier *classifier);

/** Return how many features a row has. */
size_t onnxhead_get_features(const onnxhead_classifier *classifier);

/** Return how many classes there are. */
size_t onnxhead_get_classes(const onnxhead_classifier *classifier);

/** Return the labels, one per class; they live as long as the classifier. */
const onnxhead_label *onnxhead_get_labels(const onnxhead_classifier *classifier);

/** Return how logits become probabilities. */
onnxhead_link onnxhead_get_link(const onnxhead_classifier *classifier);

/**
 * Classify a batch of rows. Several threads may call this with one classifier at once.
 *
 * @param features `rows * width` floats, row by row; not read where there are no rows.
 * @param rows How many rows there are, also 0.
 * @param width How many features each of yours has; it must be onnxhead_get_features().
 * @param[out] logits `rows * classes` floats.
 * @param[out] probabilities `rows * classes` floats.
 * @param[out] error Why it failed; may be NULL.
 * @return ONNXHEAD_OK, ONNXHEAD_BAD_ARGUMENT or ONNXHEAD_FAILED.
 */
onnxhead_status onnxhead_classify(const onnxhead_classifier *classifier, const float *features,
                                  size_t rows, size_t width, float *logits, float *probabilities,
                                  onnxhead_error *error);

/**
 * Return the label with the largest logit, the first of equal ones.
 *
 * @param logits One row of them.
 * @param probabilities The same row.
 * @return The label; NULL where a probability is NaN.
 */
const onnxhead_label *onnxhead_row_label(const onnxhead_classifier *classifier, const float *logits,
                                         const float *probabilities);

/**
 * Find the labels with a probability above a threshold, in the order of the classes.
 *
 * @param probabilities One row of them.
 * @param threshold 0.5 for the link ONNXHEAD_SIGMOID.
 * @param[out] labels Room for as many pointers as there are classes.
 * @return How many there are; none where a probability is NaN.
 */
size_t onnxhead_row_above(const onnxhead_classifier *classifier, const float *probabilities,
                          float threshold, const onnxhead_label **labels);

/**
 * Find the `k` labels with the largest logits, largest first, the earlier class first where equal.
 *
 * @param logits One row of them.
 * @param probabilities The same row.
 * @param k How many, at least 1. The time grows with it: it is meant to be small.
 * @param[out] top Room for `k`, or for as many as there are classes if that is less.
 * @param[out] count How many were found: fewer than `k` where there are fewer classes, none where
 *     a probability is NaN.
 * @param[out] error Why it failed; may be NULL.
 * @return ONNXHEAD_OK or ONNXHEAD_BAD_ARGUMENT.
 */
onnxhead_status onnxhead_row_top(const onnxhead_classifier *classifier, const float *logits,
                                 const float *probabilities, size_t k, onnxhead_ranked *top,
                                 size_t *count, onnxhead_error *error);

#ifdef __cplusplus
}
#endif

#endif
