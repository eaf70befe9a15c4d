/** The table of classes, with their probabilities and logits. */

import { find, make } from "./dom.js";
import { formatLabel, formatNumber, formatProbability } from "./text.js";

/** @import { Label } from "../onnxhead/bundle.js" */
/** @import { Prediction } from "../onnxhead/classifier.js" */

const FEW = 10; // as many classes are shown unless all are asked for

/**
 * Sets up the table.
 *
 * @param {readonly Label[]} labels One per class.
 * @param {(i: number) => void} onClass Called with a class that is pressed.
 */
export function createTable(labels, onClass) {
  const classes = labels.length;
  const longest = labels.map(formatLabel).reduce((most, { length }) => Math.max(most, length), 0);
  const body = find("classes", HTMLTableSectionElement);
  const toggle = find("show-all", HTMLButtonElement);
  toggle.hidden = classes <= FEW;
  toggle.ariaExpanded = "false";
  find("answer", HTMLElement).style.setProperty("--longest", String(longest));
  /** @type {ReturnType<typeof createLine>[]} */
  let lines = [];
  let render = () => {};

  toggle.addEventListener("click", () => {
    toggle.ariaExpanded = String(toggle.ariaExpanded === "false");
    render();
  });
  return {
    /**
     * Shows a prediction.
     *
     * @param {Prediction} prediction
     * @param {Label[]} decided The labels to emphasize.
     * @param {Label} explained The label that the steps are shown of.
     */
    show(prediction, decided, explained) {
      render = () => {
        const isAll = toggle.ariaExpanded === "true";
        toggle.textContent = isAll
          ? `Show the first ${FEW}`
          : `Show all ${classes.toLocaleString("en")} classes`;
        const listed = listClasses(prediction.logits, isAll ? classes : FEW);
        lines = listed.map((_, k) => lines[k] ?? createLine(onClass));
        if (body.childElementCount !== lines.length) {
          body.replaceChildren(...lines.map(({ element }) => element));
        }
        const largest = prediction.logits.reduce((a, z) => Math.max(a, Math.abs(z)), 0);
        for (const [k, i] of listed.entries()) {
          const label = prediction.labels[i];
          lines[k].show(prediction, i, largest);
          lines[k].mark(decided.includes(label), label === explained);
        }
      };
      render();
    },
  };
}

/**
 * Returns the classes to list: few in their order, of many those with the largest logits first.
 *
 * @param {Float32Array} logits
 * @param {number} [count]
 */
export function listClasses(logits, count = FEW) {
  const all = [...logits.keys()];
  return all.length <= FEW ? all : all.sort((i, j) => logits[j] - logits[i]).slice(0, count);
}

/** @param {(i: number) => void} onClass */
function createLine(onClass) {
  let shown = 0;
  const button = make("button", { type: "button", onclick: () => onClass(shown) });
  const probability = createCell("bar");
  const logit = createCell("bar diverging");
  const element = make(
    "tr",
    {},
    make("th", { scope: "row" }, button),
    probability.element,
    logit.element,
  );
  return {
    element,
    /**
     * @param {Prediction} prediction
     * @param {number} i
     * @param {number} largest The largest logit by magnitude.
     */
    show({ labels, probabilities, logits }, i, largest) {
      shown = i;
      button.textContent = formatLabel(labels[i]);
      probability.show(formatProbability(probabilities[i]), probabilities[i]);
      logit.show(formatNumber(logits[i]), logits[i] / largest);
    },
    /**
     * @param {boolean} isDecided
     * @param {boolean} isExplained
     */
    mark(isDecided, isExplained) {
      element.classList.toggle("decided", isDecided);
      button.ariaPressed = String(isExplained);
    },
  };
}

/** @param {string} className Of the bar. */
function createCell(className) {
  const number = make("span", { className: "number" });
  const bar = make("span", { className, ariaHidden: "true" }, make("i"));
  return {
    element: make("td", {}, make("div", {}, number, bar)),
    /**
     * @param {string} text
     * @param {number} share Of the bar's length, from -1 to 1.
     */
    show(text, share) {
      number.textContent = text;
      bar.classList.toggle("negative", share < 0);
      bar.style.setProperty("--share", String(Math.min(Math.abs(share), 1) || 0));
    },
  };
}
