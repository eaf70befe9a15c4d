/** The second step of an answer: the link makes probabilities of the logits. */

import { choosePlaces, deriveLink, roundTogether } from "./derivation.js";
import { find, make } from "./dom.js";
import { listClasses } from "./table.js";
import { formatLabel, formatNumber, formatProbability, formatRelation } from "./text.js";

/** @import { Classifier, Prediction } from "../onnxhead/classifier.js" */
/** @import { LinkSteps } from "./derivation.js" */

/** @typedef {Pick<Classifier, "link" | "temperature">} Link */

/**
 * A column of the table.
 *
 * @typedef {object} Column
 * @property {string} title
 * @property {string[]} cells Per listed class.
 * @property {string} [others] Of all classes that are not listed,
 * @property {string} [total] and of all.
 * @property {string} [className]
 */

/**
 * Says what the link does.
 *
 * @param {Link} head
 */
export function describeLink({ link, temperature }) {
  const isTempered = temperature !== 1;
  const z = isTempered ? "z / T" : "z";
  const each = isTempered
    ? `Each logit z is divided by the temperature T = ${temperature}, and each z / T`
    : "Each logit z";
  if (link === "sigmoid") {
    return `${each} gives a probability of its own, 1 / (1 + exp(−${z})): the labels are independent.`;
  }
  const share =
    link === "ovr" ? `its sigmoid, 1 / (1 + exp(−${z}))` : `a positive number, exp(${z})`;
  return `${each} gives ${share}. Its part of the sum of all is the probability.`;
}

/**
 * Shows the table, and the last step for one class as a formula.
 *
 * @param {Prediction} prediction
 * @param {number} i The class.
 * @param {Float32Array} bias One number per class.
 * @param {Link} head
 */
export function showLink(prediction, i, bias, head) {
  const { logits, probabilities, labels } = prediction;
  const few = listClasses(logits);
  const listed = few.includes(i) ? few : [...few, i];
  const places = choosePlaces(logits);
  const steps = head.link === "sigmoid" ? undefined : deriveLink(logits, head, listed, places);
  const columns = [
    ...listLogits(logits, bias, listed, places),
    ...listTempered(logits, head.temperature, listed, places),
    ...(steps ? [listExponentials(steps, head, places)] : []),
    { title: "P", cells: listed.map((k) => formatProbability(probabilities[k])) },
  ];
  const rows = listed.map((k, n) => {
    const row = makeRow(formatLabel(labels[k]), columns, ({ cells }) => cells[n]);
    row.classList.toggle("decided", k === i);
    return row;
  });
  if (steps) rows.push(...makeSums(labels.length - listed.length, columns));
  find("link-head", HTMLTableRowElement).replaceChildren(
    make("th", { scope: "col" }, "class"),
    ...columns.map(({ title, className = "" }) => make("th", { scope: "col", className }, title)),
  );
  find("link-body", HTMLTableSectionElement).replaceChildren(...rows);
  find("shift", HTMLParagraphElement).textContent = steps?.shift
    ? `Here s = ${formatNumber(steps.shift)} is the largest. It keeps exp readable, and cancels out.`
    : "";
  const write = (/** @type {number} */ value) => formatNumber(value, places);
  const fraction = steps
    ? makeFraction(write(steps.exponentials[listed.indexOf(i)]), write(steps.exponentialSum))
    : makeFraction("1", `1 + ${write(Math.exp(-logits[i] / head.temperature))}`);
  find("formula", HTMLParagraphElement).replaceChildren(
    make("i", {}, "P"),
    " = ",
    fraction,
    ` ${formatRelation(probabilities[i])}`,
  );
}

/**
 * @param {number} otherCount How many classes are not listed.
 * @param {Column[]} columns
 */
function makeSums(otherCount, columns) {
  const total = makeRow("sum", columns, (column) => column.total);
  total.className = "sum";
  if (otherCount === 0) return [total];
  return [makeRow(`${otherCount} others`, columns, ({ others }) => others), total];
}

/**
 * @param {string} above
 * @param {string} below
 */
function makeFraction(above, below) {
  const line = make("span", { className: "visually-hidden" }, " / ");
  return make(
    "span",
    { className: "fraction" },
    make("span", {}, above),
    line,
    make("span", {}, below),
  );
}

/**
 * @param {Float32Array} logits
 * @param {Float32Array} bias
 * @param {number[]} listed
 * @param {number} places
 * @returns {Column[]}
 */
function listLogits(logits, bias, listed, places) {
  const terms = listed.map((i) => roundTogether([logits[i] - bias[i], bias[i]], places));
  return [
    {
      title: "W f",
      cells: terms.map(([sum]) => formatNumber(sum, places)),
      className: "secondary",
    },
    { title: "b", cells: terms.map(([, b]) => formatNumber(b, places)), className: "secondary" },
    { title: "z", cells: listed.map((i) => formatNumber(logits[i], places)), className: "logits" },
  ];
}

/**
 * @param {Float32Array} logits
 * @param {number} temperature
 * @param {number[]} listed
 * @param {number} places
 * @returns {Column[]}
 */
function listTempered(logits, temperature, listed, places) {
  if (temperature === 1) return [];
  return [
    {
      title: "z / T",
      cells: listed.map((i) => formatNumber(logits[i] / temperature, places)),
      className: "tempered",
    },
  ];
}

/**
 * @param {LinkSteps} steps
 * @param {Link} head
 * @param {number} places
 * @returns {Column}
 */
function listExponentials(steps, { link, temperature }, places) {
  const z = temperature === 1 ? "z" : "z / T";
  const [plain, shifted] =
    link === "ovr"
      ? [`sigmoid(${z})`, `exp(log sigmoid(${z}) − s)`]
      : [`exp(${z})`, `exp(${z} − s)`];
  return {
    title: steps.shift === 0 ? plain : shifted,
    cells: steps.exponentials.map((value) => formatNumber(value, places)),
    others: formatNumber(steps.otherExponentials, places),
    total: formatNumber(steps.exponentialSum, places),
  };
}

/**
 * @param {string} name
 * @param {Column[]} columns
 * @param {(column: Column) => string | undefined} getText
 */
function makeRow(name, columns, getText) {
  const cells = columns.map((column) =>
    make("td", { className: column.className ?? "" }, getText(column) ?? ""),
  );
  return make("tr", {}, make("th", { scope: "row" }, name), ...cells);
}
