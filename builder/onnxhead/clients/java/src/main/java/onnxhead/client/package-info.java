/**
 * Runs a classification head that onnxhead shipped: logits, probabilities and labels.
 *
 * <p>{@link onnxhead.client.Classifier#load} opens a bundle, {@link onnxhead.client.Prediction} is
 * the answer for one row.
 */
package onnxhead.client;
