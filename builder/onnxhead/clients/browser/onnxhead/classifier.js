/**
 * Runs a classification head that onnxhead shipped: logits, probabilities and labels.
 *
 *     const classifier = await Classifier.load("bundle");
 *     const prediction = await classifier.classify([0.5, 0.8, 1.2]);
 *     console.log(prediction.label, prediction.probabilities, prediction.top(3));
 */

import * as ort from "onnxruntime-web/wasm";
import { readBundle } from "./bundle.js";
import { BundleError, FeaturesError } from "./errors.js";
import { Prediction } from "./prediction.js";

/** @import { Head, Label } from "./bundle.js" */

export { BundleError, FeaturesError, Prediction };

ort.env.wasm.numThreads = 1; // a head is small, and more would need headers of cross-origin isolation

/** A head that is loaded. Several calls may be under way at once. */
export class Classifier {
  #session;
  #head;

  /**
   * @private Use Classifier.load.
   * @param {ort.InferenceSession} session
   * @param {Head} head
   */
  constructor(session, head) {
    this.#session = session;
    this.#head = head;
  }

  /**
   * Loads a bundle.
   *
   * @param {string | URL} folder Where it is, relative to the page.
   * @returns {Promise<Classifier>}
   * @throws {BundleError} It is missing, or its files are not those that were shipped.
   */
  static async load(folder) {
    const { head, files } = await readBundle(folder);
    const model = /** @type {Uint8Array} */ (files.get(head.model));
    files.delete(head.model);
    const externalData = Array.from(files, ([path, data]) => ({ path, data }));
    const session = await createSession(model, externalData);
    checkSignature(session, head);
    return new Classifier(session, head);
  }

  /** How many features a row has. */
  get features() {
    return this.#head.features;
  }

  /**
   * One per class.
   *
   * @returns {readonly Label[]}
   */
  get labels() {
    return this.#head.labels;
  }

  /** How logits become probabilities: softmax, sigmoid or ovr. */
  get link() {
    return this.#head.link;
  }

  /** The divisor of the logits before the link; 1 where there is none. */
  get temperature() {
    return this.#head.temperature;
  }

  /**
   * Answers one row of features.
   *
   * @param {ArrayLike<number>} row
   * @returns {Promise<Prediction>}
   * @throws {FeaturesError} It has another width, or holds what is no number.
   */
  async classify(row) {
    const [prediction] = await this.classifyBatch([row]);
    return prediction;
  }

  /**
   * Answers a batch of rows, one prediction for each.
   *
   * @param {readonly ArrayLike<number>[]} rows
   * @returns {Promise<Prediction[]>}
   * @throws {FeaturesError} One has another width, or holds what is no number.
   */
  async classifyBatch(rows) {
    const { inputs, outputs, features, classes, labels } = this.#head;
    const batch = new ort.Tensor("float32", toFloat32(rows, features), [rows.length, features]);
    const answers = await this.#session.run({ [inputs[0]]: batch });
    const [logits, probabilities] = outputs.map(
      (name) => /** @type {Float32Array} */ (answers[name].data),
    );
    return rows.map((_, i) => {
      const [start, end] = [i * classes, (i + 1) * classes];
      return new Prediction(
        logits.subarray(start, end),
        probabilities.subarray(start, end),
        labels,
      );
    });
  }

  /** Gives back the runtime's memory, which is not garbage collected. The classifier answers no more. */
  async release() {
    await this.#session.release();
  }
}

/**
 * @param {Uint8Array} model
 * @param {{ path: string, data: Uint8Array }[]} externalData
 */
async function createSession(model, externalData) {
  try {
    return await ort.InferenceSession.create(model, { executionProviders: ["wasm"], externalData });
  } catch (cause) {
    throw new BundleError(
      `the model must load in onnxruntime-web ${ort.env.versions.web}, it refuses it (${cause}): ` +
        "copy the client and the bundle again, as a whole",
      { cause },
    );
  }
}

/**
 * Holds the model's inputs and outputs to head.json.
 *
 * @param {ort.InferenceSession} session
 * @param {Head} head
 */
function checkSignature(session, { inputs, outputs, features, classes }) {
  const found = [...session.inputMetadata, ...session.outputMetadata].map(describe).join(", ");
  const stated = [
    ...inputs.map((name) => `${name} float32 [batch, ${features}]`),
    ...outputs.map((name) => `${name} float32 [batch, ${classes}]`),
  ].join(", ");
  if (found !== stated) {
    throw new BundleError(
      `the model must have the inputs and outputs of head.json, which are ${stated}; it has ${found}: ` +
        "copy the bundle again, as a whole",
    );
  }
}

/** @param {ort.InferenceSession.ValueMetadata} value */
function describe(value) {
  return value.isTensor ? `${value.name} ${value.type} [${value.shape.join(", ")}]` : value.name;
}

/**
 * Copies rows into one array.
 *
 * @param {readonly ArrayLike<number>[]} rows
 * @param {number} features
 */
function toFloat32(rows, features) {
  const batch = new Float32Array(rows.length * features);
  let next = 0;
  for (const row of rows) {
    if (row.length !== features) {
      throw new FeaturesError(
        `a row must have ${features} features, got ${row.length}: ` +
          "pass those that the head was trained on, in their order",
      );
    }
    for (let j = 0; j < features; j++) {
      const value = row[j];
      if (typeof value !== "number") {
        throw new FeaturesError(
          `features must be numbers, feature ${j} is ${JSON.stringify(value)}: convert it`,
        );
      }
      batch[next++] = value;
    }
  }
  return batch;
}
