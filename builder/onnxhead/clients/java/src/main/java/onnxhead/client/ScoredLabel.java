package onnxhead.client;

/**
 * A label and how probable it is.
 *
 * @param label the label
 * @param probability its probability, from 0 to 1
 */
public record ScoredLabel(Label label, float probability) {}
