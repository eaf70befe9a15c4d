/** The answer to a row: the decision, the table of classes, and the steps that lead there. */

import { decide, showDecision } from "./decision.js";
import { find } from "./dom.js";
import { describeLink, showLink } from "./link.js";
import { showSum } from "./sum.js";
import { createTable } from "./table.js";
import { readBias, readWeight } from "./weights.js";

/** @import { Classifier, Prediction } from "../onnxhead/classifier.js" */

/**
 * Sets up the answer.
 *
 * @param {Classifier} classifier
 */
export async function createAnswer(classifier) {
  const { labels, link } = classifier;
  const bias = await readBias(classifier);
  /** @type {Float32Array | undefined} */
  let weight;
  /** @type {Float32Array | undefined} */
  let latest;
  /** @type {{ row: Float32Array, prediction: Prediction } | undefined} */
  let shown;
  /** @type {number | undefined} */
  let pressed;

  const table = createTable(labels, (i) => {
    pressed = pressed === i ? undefined : i;
    render();
  });
  find("link-text", HTMLParagraphElement).textContent = describeLink(classifier);

  function render() {
    if (!shown) return;
    const { row, prediction } = shown;
    const decided = decide(prediction, link);
    const { label } = prediction;
    const explained = label === null ? -1 : (pressed ?? labels.indexOf(label));
    showDecision(row, prediction, decided, link);
    table.show(prediction, decided, labels[explained]);
    const isDerivable = explained >= 0 && prediction.logits.every(Number.isFinite);
    find("steps", HTMLElement).hidden = !isDerivable;
    if (isDerivable) {
      showSum(row, prediction, explained, bias, weight);
      showLink(prediction, explained, bias, classifier);
    }
  }

  return {
    /**
     * Answers a row.
     *
     * @param {Float32Array} row
     */
    async show(row) {
      latest = row;
      const prediction = await classifier.classify(row);
      if (row !== latest) return; // another came meanwhile
      shown = { row, prediction };
      document.body.classList.remove("stale");
      render();
    },
    /** Says that the answer is not that of what is typed. */
    markStale() {
      latest = undefined;
      document.body.classList.add("stale");
    },
    /** Adds the single products to the steps. */
    async addProducts() {
      weight = await readWeight(classifier, bias);
      render();
    },
  };
}
