/** The page: loads the bundle beside it, and answers every row that is chosen, typed or dragged. */

import { readCases } from "../onnxhead/bundle.js";
import { BundleError, Classifier } from "../onnxhead/classifier.js";
import { createAnswer } from "./answer.js";
import { showConformance } from "./conformance.js";
import { find } from "./dom.js";
import { createField } from "./field.js";
import { createMap } from "./map.js";
import { createSliders } from "./sliders.js";
import { createSources } from "./sources.js";

/** @import { Case } from "../onnxhead/bundle.js" */

const MOST_SLIDERS = 30;

try {
  const [classifier, cases] = await Promise.all([Classifier.load("bundle"), readCases("bundle")]);
  await start(classifier, cases);
} catch (error) {
  if (!(error instanceof BundleError)) throw error;
  find("loading", HTMLParagraphElement).hidden = true;
  find("refusal-reason", HTMLParagraphElement).textContent = error.message;
  find("refusal", HTMLElement).hidden = false;
}

/**
 * @param {Classifier} classifier
 * @param {Case[]} cases
 */
async function start(classifier, cases) {
  const { features } = classifier;
  const answer = await createAnswer(classifier);
  const createDials = features <= MOST_SLIDERS ? createSliders : createMap;
  const dials = createDials(features, measureExtent(cases), (row) => change(row, dials));
  const field = createField(features, (row) => change(row, field), answer.markStale);
  const sources = createSources(cases, features, (row) => change(row, sources));

  /**
   * @param {Float32Array} row
   * @param {unknown} origin The input that it comes from.
   */
  function change(row, origin) {
    for (const input of [dials, field, sources]) {
      if (input !== origin) input.show(row);
    }
    return answer.show(row);
  }

  find("dials", HTMLDivElement).append(dials.element);
  introduce(classifier);
  find("main", HTMLElement).hidden = false;
  find("check", HTMLElement).hidden = false;
  sources.open(cases[0].name === "example" ? "example" : "random");
  await answer.addProducts();
  await showConformance(classifier, cases);
}

/** @param {Classifier} classifier */
function introduce({ features, labels, link }) {
  const few = link === "sigmoid" ? "any of" : "one of";
  const target = labels.length === 1 ? "one class" : `${few} ${count(labels.length, "classes")}`;
  const title = `From ${count(features, "features", "feature")} to ${target}`;
  document.title = title;
  find("title", HTMLHeadingElement).textContent = title;
  find("loading", HTMLParagraphElement).hidden = true;
  find("introduction", HTMLParagraphElement).hidden = false;
  find("field-hint", HTMLParagraphElement).textContent =
    `${count(features, "numbers", "number")}, between commas, spaces or lines`;
}

/**
 * @param {number} number
 * @param {string} plural
 * @param {string} [singular]
 */
function count(number, plural, singular) {
  return `${number.toLocaleString("en")} ${number === 1 ? singular : plural}`;
}

/**
 * Returns the largest feature of the random rows by magnitude, which are as large as this head's usual ones.
 *
 * @param {Case[]} cases
 */
function measureExtent(cases) {
  const rows = cases.find(({ name }) => name === "random")?.features ?? [[1]];
  return rows.flat().reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
}
