/**
 * Runs a model that onnxhead shipped, from the inputs of its network: logits, probabilities and
 * labels.
 *
 * @example
 * const classifier = await Classifier.load("bundle");
 * const pixels = { data: new Float32Array(3 * 224 * 224), dims: [1, 3, 224, 224] };
 * for (const prediction of await classifier.classify({ pixels })) {
 *   console.log(prediction.label, prediction.probabilities, prediction.top(3));
 * }
 *
 * @module
 */

export { BundleError, type Label, type Link } from "./bundle.js";
export { Classifier } from "./classifier.js";
export type { Input } from "./description.js";
export { type Elements, type InputArray, InputsError } from "./inputs.js";
export { Prediction, type RankedLabel } from "./prediction.js";
