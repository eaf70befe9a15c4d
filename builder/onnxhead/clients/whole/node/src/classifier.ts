import { join } from "node:path";
import type { InferenceSession, Tensor } from "onnxruntime-node";
import type { Label, Link } from "./bundle.js";
import { describeInput, type Head, type Input, readHead } from "./description.js";
import { describeFeeds, type InputArray, InputsError, toFeeds } from "./inputs.js";
import type { Prediction } from "./prediction.js";
import { checkSignature, openSession, predictRows } from "./session.js";

/** A model that is loaded. Calls need not wait for one another. */
export class Classifier {
  /** What the model takes. */
  readonly inputs: readonly Input[];
  /** One per class. */
  readonly labels: readonly Label[];
  /** How logits become probabilities. */
  readonly link: Link;
  readonly #head: Head;
  readonly #session: InferenceSession;

  private constructor(head: Head, session: InferenceSession) {
    this.inputs = head.inputs;
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
    const session = await openSession(join(folder, head.model), 0);
    checkModel(session, head);
    return new Classifier(head, session);
  }

  /**
   * Answers a batch, one prediction per row.
   *
   * @param inputs Arrays by the names of the model's inputs. They are not copied: do not change
   *   them before the answer.
   * @throws {InputsError} They are not those of the model, or it does not run on them.
   */
  async classify(inputs: Readonly<Record<string, InputArray>>): Promise<Prediction[]> {
    const feeds = toFeeds(inputs, this.inputs);
    let answers: InferenceSession.ReturnType;
    try {
      answers = await this.#session.run(feeds);
    } catch (cause) {
      throw new InputsError(
        `the model must run on ${describeFeeds(feeds)}, onnxruntime fails (${cause}): pass other ` +
          "shapes or values",
        { cause },
      );
    }
    const outputs = this.#head.outputs.map((name) => answers[name] as Tensor);
    const [logits, probabilities] = toNumbers(outputs, this.labels.length, describeFeeds(feeds));
    return predictRows(logits, probabilities, this.labels);
  }

  /** Frees the model's memory now instead of when the classifier is collected. */
  async release(): Promise<void> {
    await this.#session.release();
  }
}

/**
 * Returns the logits and probabilities of all rows, one row after the other.
 *
 * @param outputs What the model answers.
 * @param inputs What it answers to, in words.
 * @throws {InputsError} They are not [rows, classes] both.
 */
export function toNumbers(
  outputs: readonly Pick<Tensor, "type" | "dims" | "data">[],
  classes: number,
  inputs: string,
): [logits: Float32Array, probabilities: Float32Array] {
  const [rows] = outputs[0]?.dims ?? [];
  const expected = `float32 [${rows}, ${classes}]`;
  const found = outputs.map(({ type, dims }) => `${type} [${dims.join(", ")}]`);
  if (found.some((output) => output !== expected)) {
    throw new InputsError(
      `logits and probabilities must be float32 [rows, ${classes}], the model answers ` +
        `${found.join(" and ")} to ${inputs}: pass other shapes`,
    );
  }
  return outputs.map(({ data }) => data) as [Float32Array, Float32Array];
}

/** Throws unless a model takes and gives what head.json states. */
function checkModel(session: InferenceSession, head: Head): void {
  const stated = [
    ...head.inputs.map(describeInput),
    ...head.outputs.map((name) => `${name}: float32 [rows, ${head.labels.length}]`),
  ];
  checkSignature(session, stated, (value) => {
    if (!value.isTensor) {
      return `${value.name}: no tensor`;
    }
    const isOutput = head.outputs.includes(value.name);
    const axes = value.shape.map((axis, place) => {
      const isFixed = typeof axis === "number" && axis >= 0;
      // an output has as many rows as the batch, which may be fixed
      return isOutput && place === 0 ? "rows" : isFixed ? axis : "?";
    });
    return `${value.name}: ${value.type} [${axes.join(", ")}]`;
  });
}
