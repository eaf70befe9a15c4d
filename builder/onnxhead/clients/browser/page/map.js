/** A map of a row with many features: a cell is chosen and set with a slider, and its value can be spread. */

import { make } from "./dom.js";
import { createSlider } from "./sliders.js";

const MOST_CELLS = 4096;

/**
 * Makes the map. It is for a pointer; its number field and slider do the same from the keyboard.
 *
 * @param {number} features
 * @param {number} extent How far the slider reaches on each side of zero, unless a row reaches further.
 * @param {(row: Float32Array) => void} onRow Called with a new row when a feature is changed.
 * @returns {{ element: HTMLElement, show: (row: Float32Array) => void }}
 */
export function createMap(features, extent, onRow) {
  let current = /** @type {Float32Array} */ (new Float32Array(features));
  let chosen = 0;
  const grid = createGrid(features > MOST_CELLS ? 0 : features, press, spread);
  const number = make("input", { type: "number", min: "0", max: String(features - 1), value: "0" });
  const slider = createSlider(extent, (value) => change(chosen, value));
  slider.input.ariaLabel = "value of the feature";

  /**
   * @param {number} j
   * @param {number} value
   */
  function change(j, value) {
    current = current.with(j, value);
    grid.paint(current);
    onRow(current);
  }

  /** @param {number} j */
  function choose(j) {
    chosen = j;
    grid.mark(j);
    slider.show(current[j]);
  }

  /** @param {number} j */
  function press(j) {
    number.value = String(j);
    choose(j);
  }

  /** @param {number} j */
  function spread(j) {
    if (current[j] !== current[chosen]) change(j, current[chosen]);
  }

  number.addEventListener("input", () => {
    if (number.checkValidity() && number.value !== "") choose(number.valueAsNumber);
  });
  const label = make("label", {}, "feature ", number);
  const line = make("div", { className: "slider" }, label, slider.input, slider.output);
  return {
    element: make("div", { className: "map-frame" }, grid.element, line),
    show(row) {
      current = row;
      grid.paint(row);
      choose(chosen);
    },
  };
}

/**
 * Makes the cells, with a line that says what to do with them.
 *
 * @param {number} count
 * @param {(j: number) => void} onPress Called with a cell that is pressed,
 * @param {(j: number) => void} onDrag and then with each that the pointer is dragged to.
 */
function createGrid(count, onPress, onDrag) {
  const cells = Array.from({ length: count }, () => make("i"));
  const grid = make("div", { className: "map", ariaHidden: "true" }, ...cells);
  grid.style.setProperty("--columns", String(countColumns(count)));
  const hint = "Press a cell to set it here; drag to spread its value.";

  grid.addEventListener("pointerdown", (event) => {
    const j = cells.indexOf(/** @type {HTMLElement} */ (event.target));
    if (j < 0) return;
    grid.setPointerCapture(event.pointerId);
    onPress(j);
  });
  grid.addEventListener("pointermove", (event) => {
    if (!grid.hasPointerCapture(event.pointerId)) return;
    const under = document.elementFromPoint(event.clientX, event.clientY);
    const j = cells.indexOf(/** @type {HTMLElement} */ (under));
    if (j >= 0) onDrag(j);
  });
  return {
    element: make("div", { hidden: count === 0 }, grid, make("p", { className: "hint" }, hint)),
    /** @param {Float32Array} row */
    paint(row) {
      const largest = row.reduce((a, b) => (Number.isFinite(b) ? Math.max(a, Math.abs(b)) : a), 0);
      cells.forEach((cell, j) => {
        const share = Math.min(Math.abs(row[j]) / largest, 1) || 0; // 0 also for NaN
        cell.style.setProperty("--share", `${share * 100}%`);
        cell.classList.toggle("negative", row[j] < 0);
      });
    },
    /** @param {number} j */
    mark(j) {
      grid.querySelector(".chosen")?.classList.remove("chosen");
      cells[j]?.classList.add("chosen");
    },
  };
}

/**
 * Returns a number of columns that leaves no cell over where one is near the square root.
 *
 * @param {number} cells
 */
function countColumns(cells) {
  const least = Math.ceil(Math.sqrt(cells));
  for (let columns = least; columns <= 2 * least; columns++) {
    if (cells % columns === 0) return columns;
  }
  return least;
}
