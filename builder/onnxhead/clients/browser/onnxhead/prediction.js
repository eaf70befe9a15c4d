/** @import { Label } from "./bundle.js" */

/** The answer for one row. */
export class Prediction {
  /**
   * @param {Float32Array} logits One per class.
   * @param {Float32Array} probabilities One per class.
   * @param {readonly Label[]} labels One per class.
   */
  constructor(logits, probabilities, labels) {
    this.logits = logits;
    this.probabilities = probabilities;
    this.labels = labels;
  }

  /** The label with the largest logit, the first of equal ones; null where a probability is NaN. */
  get label() {
    if (!this.#isDefined()) return null;
    return this.labels[this.logits.indexOf(this.logits.reduce((a, b) => Math.max(a, b)))];
  }

  /**
   * The labels with a probability above a threshold, in the order of the classes, for heads whose labels are
   * independent; none where a probability is NaN.
   *
   * @param {number} threshold
   * @returns {Label[]}
   */
  above(threshold) {
    if (!this.#isDefined()) return [];
    return this.labels.filter((_, i) => this.probabilities[i] > threshold);
  }

  /**
   * The k most probable labels with their probabilities, largest logit first; none where a probability is NaN.
   *
   * @param {number} k
   * @returns {{ label: Label, probability: number }[]}
   * @throws {RangeError} k is less than 1.
   */
  top(k) {
    if (!(k >= 1)) throw new RangeError(`k must be at least 1, got ${k}`);
    if (!this.#isDefined()) return [];
    return [...this.labels.keys()]
      .sort((i, j) => this.logits[j] - this.logits[i])
      .slice(0, k)
      .map((i) => ({ label: this.labels[i], probability: this.probabilities[i] }));
  }

  #isDefined() {
    return !this.probabilities.some(Number.isNaN);
  }
}
