/** Weight and bias, read out of a model that only answers rows. */

/** @import { Classifier } from "../onnxhead/classifier.js" */

const SCALE = 2 ** 64;
const MULTIPLICATIONS_PER_CHUNK = 1e8; // about 10 ms, so that the page goes on answering
const MOST_MULTIPLICATIONS = 3e10; // a few seconds

/**
 * Reads the bias: the logits of a row of zeros.
 *
 * @param {Classifier} classifier
 * @returns {Promise<Float32Array>} One number per class.
 */
export async function readBias(classifier) {
  const { logits } = await classifier.classify(new Float32Array(classifier.features));
  return logits;
}

/**
 * Reads the weight. The logits are W f + b, and the row that is s at feature j and 0 elsewhere gives s W_ij + b_i for
 * every class i: so the weights of feature j are the logits of that row, less b, divided by s. With s = 2^64 the bias
 * is lost beside the product, which is as exact as W_ij itself, since a power of two changes no digit.
 *
 * @param {Classifier} classifier
 * @param {Float32Array} bias
 * @returns {Promise<Float32Array | undefined>} In the order of the classes, then of the features; undefined for a
 *     head so large that it would take long.
 */
export async function readWeight(classifier, bias) {
  const { features } = classifier;
  const multiplications = features * bias.length;
  if (multiplications * features > MOST_MULTIPLICATIONS) return undefined;
  const weight = new Float32Array(multiplications);
  const chunk = Math.ceil(MULTIPLICATIONS_PER_CHUNK / multiplications);
  for (let start = 0; start < features; start += chunk) {
    const rows = makeRows(features, start, Math.min(start + chunk, features));
    const answers = await classifier.classifyBatch(rows);
    answers.forEach(({ logits }, k) => {
      for (let i = 0; i < bias.length; i++) {
        weight[i * features + start + k] = (logits[i] - bias[i]) / SCALE;
      }
    });
    await new Promise((resolve) => setTimeout(resolve));
  }
  return weight;
}

/**
 * @param {number} features
 * @param {number} start
 * @param {number} end
 */
function makeRows(features, start, end) {
  return Array.from({ length: end - start }, (_, k) => {
    const row = new Float32Array(features);
    row[start + k] = SCALE;
    return row;
  });
}
