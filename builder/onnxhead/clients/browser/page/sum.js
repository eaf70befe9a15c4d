/** The first step of an answer: products, their sum and the bias give the logit of one class. */

import { choosePlaces, deriveLogit } from "./derivation.js";
import { find, make, makeSymbol } from "./dom.js";
import { formatFactor, formatLabel, formatTerm } from "./text.js";

/** @import { Prediction } from "../onnxhead/classifier.js" */
/** @import { LogitSteps } from "./derivation.js" */

/**
 * A line of the sum. Its bar begins where the sum stood before, as in a waterfall.
 *
 * @typedef {object} Line
 * @property {(Node | string)[]} name
 * @property {string} [factors]
 * @property {number} from
 * @property {number} to
 * @property {string} className
 */

/**
 * Shows the sum.
 *
 * @param {Float32Array} row
 * @param {Prediction} prediction
 * @param {number} i The class.
 * @param {Float32Array} bias One number per class.
 * @param {Float32Array} [weight] In the order of the classes, then of the features.
 */
export function showSum(row, { logits, labels }, i, bias, weight) {
  const places = choosePlaces(logits);
  const ofClass = weight?.subarray(i * row.length, (i + 1) * row.length);
  const steps = deriveLogit(row, ofClass, bias[i], logits[i], places);
  const lines = listLines(steps, i);
  const ends = lines.flatMap(({ from, to }) => [from, to]);
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  find("explained", HTMLSpanElement).textContent = formatLabel(labels[i]);
  find("sum", HTMLOListElement).replaceChildren(
    ...lines.map((line) => makeLine(line, low, high, places)),
  );
}

/**
 * @param {LogitSteps} steps
 * @param {number} i
 * @returns {Line[]}
 */
function listLines({ terms, restCount, rest, sum, bias, logit }, i) {
  let reached = 0;
  /** @param {number} value */
  const add = (value) => {
    const from = reached;
    reached += value;
    return { from, to: reached, className: value < 0 ? "negative" : "" };
  };
  const products = terms.map(({ feature, weight, value, product }) => ({
    name: [makeSymbol("W", `${i},${feature}`), " ", makeSymbol("f", feature)],
    factors: `${formatFactor(weight)} × ${formatFactor(value)}`,
    ...add(product),
  }));
  const smaller = terms.length > 0 ? "smaller products" : "products";
  return [
    ...products,
    ...(restCount > 0 ? [{ name: [`${restCount} ${smaller}`], ...add(rest) }] : []),
    { name: ["their sum ", makeSymbol("W f")], from: 0, to: sum, className: "total" },
    { name: ["the bias ", makeSymbol("b", i)], ...add(bias) },
    { name: ["the logit ", makeSymbol("z", i)], from: 0, to: logit, className: "total logit" },
  ];
}

/**
 * @param {Line} line
 * @param {number} low Where the bars begin,
 * @param {number} high and end.
 * @param {number} places
 */
function makeLine({ name, factors, from, to, className }, low, high, places) {
  const bar = make("span", { className: "step", ariaHidden: "true" }, make("i"));
  bar.style.setProperty("--start", String((Math.min(from, to) - low) / (high - low || 1)));
  bar.style.setProperty("--share", String(Math.abs(to - from) / (high - low || 1)));
  return make(
    "li",
    { className },
    make("span", { className: "name" }, ...name),
    ...(factors ? [make("span", { className: "factors" }, factors)] : []),
    make("span", { className: "number" }, formatTerm(to - from, places)),
    bar,
  );
}
