import { join } from "node:path";
import { type InferenceSession, Tensor } from "onnxruntime-node";
import type { Label, Link } from "./bundle.js";
import { type Head, readHead } from "./description.js";
import { packRow, packRows } from "./inputs.js";
import type { Prediction } from "./prediction.js";
import { checkSignature, openSession, predictRows } from "./session.js";

/** A head that is loaded. Calls need not wait for one another. */
export class Classifier {
  /** How many features a row has. */
  readonly features: number;
  /** One per class. */
  readonly labels: readonly Label[];
  /** How logits become probabilities. */
  readonly link: Link;
  readonly #head: Head;
  readonly #session: InferenceSession;

  private constructor(head: Head, session: InferenceSession) {
    this.features = head.features;
    this.labels = head.labels;
    this.link = head.link;
    this.#head = head;
    this.#session = session;
  }

  /**
   * Loads the bundle in a folder.
   *
   * @throws {BundleError} The folder is no bundle, or its files are not those that were shipped.
   */
  static async load(folder: string): Promise<Classifier> {
    const head = await readHead(folder);
    // one thread: a head is small, and programs run several workers
    const session = await openSession(join(folder, head.model), 1);
    checkHead(session, head);
    return new Classifier(head, session);
  }

  /**
   * Answers one row. A number beyond float32 becomes infinite.
   *
   * @param row The features. A Float32Array is not copied: do not change it before the answer.
   * @throws {FeaturesError} It has another width, or holds what is not a number.
   */
  async classify(row: ArrayLike<number>): Promise<Prediction> {
    const [prediction] = await this.#run(packRow(row, this.features));
    return prediction as Prediction;
  }

  /**
   * Answers a batch of rows, one prediction per row. A number beyond float32 becomes infinite.
   *
   * @param rows The rows, or all of them one after the other in one Float32Array, which is not
   *   copied: do not change it before the answer. There may be none.
   * @throws {FeaturesError} A row has another width, or holds what is not a number.
   */
  async classifyBatch(rows: Float32Array | readonly ArrayLike<number>[]): Promise<Prediction[]> {
    return this.#run(packRows(rows, this.features));
  }

  /** Frees the model's memory now instead of when the classifier is collected. */
  async release(): Promise<void> {
    await this.#session.release();
  }

  async #run(rows: Float32Array): Promise<Prediction[]> {
    const { inputs, outputs, features, labels } = this.#head;
    const batch = rows.length / features;
    const answers = await this.#session.run({
      [inputs[0]]: new Tensor("float32", rows, [batch, features]),
    });
    const [logits, probabilities] = outputs.map((name) => answers[name]?.data as Float32Array);
    return predictRows(logits as Float32Array, probabilities as Float32Array, labels);
  }
}

/** Throws unless a model takes and gives what head.json states. */
function checkHead(session: InferenceSession, head: Head): void {
  const stated = [
    ...head.inputs.map((name) => `${name}: float32 [batch, ${head.features}]`),
    ...head.outputs.map((name) => `${name}: float32 [batch, ${head.labels.length}]`),
  ];
  checkSignature(session, stated, (value) =>
    value.isTensor
      ? `${value.name}: ${value.type} [${value.shape.join(", ")}]`
      : `${value.name}: no tensor`,
  );
}
