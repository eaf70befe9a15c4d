/**
 * Runs a classification head that onnxhead shipped: logits, probabilities and labels.
 *
 * @example
 * const classifier = await Classifier.load("bundle");
 * const prediction = await classifier.classify(features); // one row of numbers
 * console.log(prediction.label, prediction.probabilities, prediction.top(3));
 *
 * @module
 */

export { BundleError, type Label, type Link } from "./bundle.js";
export { Classifier } from "./classifier.js";
export { FeaturesError } from "./inputs.js";
export { Prediction, type RankedLabel } from "./prediction.js";
