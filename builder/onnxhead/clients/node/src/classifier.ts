import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { BundleError, type Head, type Label, type Link, readHead } from "./bundle.js";
import { packRow, packRows } from "./features.js";
import { Prediction } from "./prediction.js";

// onnxruntime sends usage data unless this is set when it opens its first session
process.env.ORT_DISABLE_TELEMETRY ??= "1";

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
    const session = await openSession(join(folder, head.model));
    checkSignature(session, head);
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
    const logits = answers[outputs[0]]?.data as Float32Array;
    const probabilities = answers[outputs[1]]?.data as Float32Array;
    return Array.from({ length: batch }, (_, row) => {
      const start = row * labels.length;
      const end = start + labels.length;
      return new Prediction(
        logits.subarray(start, end),
        probabilities.subarray(start, end),
        labels,
      );
    });
  }
}

/** Opens a model by its path, beside which onnxruntime looks for its data file. */
async function openSession(model: string): Promise<InferenceSession> {
  try {
    // a head is small, and programs run several workers
    return await InferenceSession.create(model, { intraOpNumThreads: 1 });
  } catch (cause) {
    throw new BundleError(
      `${model} must load in onnxruntime-node, it refuses it (${cause}): take a newer one, or copy ` +
        "the bundle again, as a whole",
      { cause },
    );
  }
}

/** Throws unless a model takes and gives what head.json states. */
function checkSignature(session: InferenceSession, head: Head): void {
  const stated = [
    ...head.inputs.map((name) => `${name}: float32 [batch, ${head.features}]`),
    ...head.outputs.map((name) => `${name}: float32 [batch, ${head.labels.length}]`),
  ].join("; ");
  const found = [...session.inputMetadata, ...session.outputMetadata].map(describe).join("; ");
  if (found !== stated) {
    throw new BundleError(
      `the model must have the inputs and outputs of head.json, ${stated}, it has ${found}: ` +
        "copy the bundle again, as a whole",
    );
  }
}

function describe(value: InferenceSession.ValueMetadata): string {
  return value.isTensor
    ? `${value.name}: ${value.type} [${value.shape.join(", ")}]`
    : `${value.name}: no tensor`;
}
