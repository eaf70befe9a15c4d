/** The decision in large type, and told to screen readers once it stays. */

import { find } from "./dom.js";
import { formatLabel, formatProbability } from "./text.js";

/** @import { Label } from "../onnxhead/bundle.js" */
/** @import { Classifier, Prediction } from "../onnxhead/classifier.js" */

const CALM_MS = 600;

let announcement = 0;

/**
 * Returns the labels that are decided for: those above one half where they are independent, else the most probable.
 *
 * @param {Prediction} prediction
 * @param {Classifier["link"]} link
 * @returns {Label[]}
 */
export function decide(prediction, link) {
  if (link === "sigmoid") return prediction.above(0.5);
  return prediction.label === null ? [] : [prediction.label];
}

/**
 * Shows the decision.
 *
 * @param {Float32Array} row
 * @param {Prediction} prediction
 * @param {Label[]} decided
 * @param {Classifier["link"]} link
 */
export function showDecision(row, prediction, decided, link) {
  const { text, reason } = describe(row, prediction, decided, link);
  const large = find("decision-label", HTMLParagraphElement);
  large.textContent = text;
  large.style.setProperty("--length", String([...text].length));
  large.classList.toggle("none", decided.length === 0);
  find("decision-reason", HTMLParagraphElement).textContent = reason;
  clearTimeout(announcement);
  announcement = window.setTimeout(() => {
    find("announcement", HTMLParagraphElement).textContent = `${text}, ${reason}`;
  }, CALM_MS);
}

/**
 * @param {Float32Array} row
 * @param {Prediction} prediction
 * @param {Label[]} decided
 * @param {Classifier["link"]} link
 */
function describe(row, prediction, decided, link) {
  const unusual = row.findIndex((value) => !Number.isFinite(value));
  if (unusual >= 0) {
    const text = prediction.label === null ? "no answer" : describeDecided(decided);
    const found = Number.isNaN(row[unusual]) ? "NaN" : "infinite as float32";
    return { text, reason: `feature f${unusual} is ${found}: make it a finite number` };
  }
  if (prediction.label === null) {
    return { text: "no answer", reason: "the features are so large that a logit overflows" };
  }
  if (link === "sigmoid") {
    const text = describeDecided(decided);
    const verb = decided.length > 1 ? "each has" : "has";
    const reason =
      decided.length > 0
        ? `${verb} a probability above one half`
        : "no probability is above one half";
    return { text, reason };
  }
  const [{ label, probability }] = prediction.top(1);
  const words = formatProbability(probability)
    .replace("<", "less than ")
    .replace(">", "more than ");
  return { text: formatLabel(label), reason: `with a probability of ${words}` };
}

/** @param {Label[]} decided */
function describeDecided(decided) {
  return decided.map(formatLabel).join(" · ") || "none";
}
