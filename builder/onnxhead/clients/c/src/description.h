#ifndef ONNXHEAD_DESCRIPTION_H
#define ONNXHEAD_DESCRIPTION_H

#include "onnxhead_client.h"
#include <cjson/cJSON.h>

/** What head.json says. All zero, it is empty. */
typedef struct onnxhead_description {
    cJSON *document; /**< owns the texts of labels and names */
    char *model;     /**< the path of the .onnx file */
    const char *input;
    const char *outputs[2]; /**< logits, probabilities */
    size_t features;
    size_t classes;
    onnxhead_label *labels;
    onnxhead_link link;
} onnxhead_description;

/**
 * Read head.json, and hold the model's files to the hashes in it.
 *
 * @param[out] description Empty before; to be freed also where reading fails.
 */
onnxhead_status onnxhead_read_description(const char *folder, onnxhead_description *description,
                                          onnxhead_error *error);

/**
 * Hold the labels to those in the model's metadata.
 *
 * @param metadata A JSON array; NULL where the classes are numbered from 0.
 */
onnxhead_status onnxhead_check_labels(const onnxhead_description *description, const char *metadata,
                                      onnxhead_error *error);

/** Tell whether a JSON value is a label. */
bool onnxhead_is_label(const cJSON *item, const onnxhead_label *label);

/** Free what a description owns. */
void onnxhead_free_description(onnxhead_description *description);

#endif
