import type { Label } from "./bundle.js";

/** A label with its probability. */
export interface RankedLabel {
  readonly label: Label;
  readonly probability: number;
}

/** The answer for one row. Its arrays are views of those of the whole batch. */
export class Prediction {
  /** One per class. */
  readonly logits: Float32Array;
  /** One per class. */
  readonly probabilities: Float32Array;
  readonly #labels: readonly Label[];

  /** Takes one logit, probability and label per class. */
  constructor(logits: Float32Array, probabilities: Float32Array, labels: readonly Label[]) {
    this.logits = logits;
    this.probabilities = probabilities;
    this.#labels = labels;
  }

  /**
   * The label with the largest logit, the first of equal ones; undefined where a probability is
   * NaN.
   */
  get label(): Label | undefined {
    if (!this.#isDefined()) {
      return undefined;
    }
    const largest = this.logits.reduce((a, b) => Math.max(a, b));
    return this.#labels[this.logits.indexOf(largest)];
  }

  /**
   * Returns the labels with a probability above a threshold, in the order of the classes; none
   * where a probability is NaN. For heads whose labels are independent.
   */
  above(threshold: number): Label[] {
    return this.#classes()
      .filter(({ probability }) => probability > threshold)
      .map(({ label }) => label);
  }

  /**
   * Returns the `k` most probable labels, most probable first, the earlier class first where logits
   * are equal; all of them where there are fewer, none where a probability is NaN.
   *
   * @throws {RangeError} `k` is not an integer of at least 1.
   */
  top(k: number): RankedLabel[] {
    if (!Number.isInteger(k) || k < 1) {
      throw new RangeError(`k must be an integer of at least 1, got ${k}`);
    }
    return this.#classes()
      .sort((a, b) => b.logit - a.logit)
      .slice(0, k)
      .map(({ label, probability }) => ({ label, probability }));
  }

  #isDefined(): boolean {
    return !this.probabilities.includes(Number.NaN);
  }

  #classes(): { label: Label; logit: number; probability: number }[] {
    if (!this.#isDefined()) {
      return [];
    }
    return this.#labels.map((label, i) => ({
      label,
      logit: this.logits[i] as number,
      probability: this.probabilities[i] as number,
    }));
  }
}
