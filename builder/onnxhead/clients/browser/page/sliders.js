/** Sliders that change the features of a row. */

import { make, makeSymbol } from "./dom.js";
import { formatFactor } from "./text.js";

const STEPS = 100; // on each side of zero

/**
 * Makes one slider per feature.
 *
 * @param {number} features
 * @param {number} extent How far the sliders reach on each side of zero, unless a row reaches further.
 * @param {(row: Float32Array) => void} onRow Called with a new row when one is moved.
 * @returns {{ element: HTMLElement, show: (row: Float32Array) => void }}
 */
export function createSliders(features, extent, onRow) {
  let current = /** @type {Float32Array} */ (new Float32Array(features));
  const sliders = Array.from(current, (_, j) => {
    const slider = createSlider(extent, (value) => {
      current = current.with(j, value);
      onRow(current);
    });
    slider.input.id = `slider-${j}`;
    return slider;
  });
  const lines = sliders.map(({ input, output }, j) => {
    const name = make("span", { className: "visually-hidden" }, "feature ");
    const label = make("label", { htmlFor: input.id }, name, makeSymbol("f", j));
    return make("div", { className: "slider" }, label, input, output);
  });
  return {
    element: make("div", {}, ...lines),
    show(row) {
      current = row;
      sliders.forEach((slider, j) => {
        slider.show(row[j]);
      });
    },
  };
}

/**
 * Makes one slider, with zero in its middle and the number beside it.
 *
 * @param {number} extent How far it reaches on each side of zero, unless its value reaches further.
 * @param {(value: number) => void} onValue
 * @returns {{ input: HTMLInputElement, output: HTMLOutputElement, show: (value: number) => void }}
 */
export function createSlider(extent, onValue) {
  const input = make("input", { type: "range" });
  const output = make("output");
  input.addEventListener("input", () => {
    showValue(input.valueAsNumber);
    onValue(input.valueAsNumber);
  });
  /** @param {number} value */
  function showValue(value) {
    output.value = formatFactor(value);
    input.ariaValueText = output.value;
    const share = (Math.min(Math.max(value / Number(input.max), -1), 1) || 0) / 2;
    input.style.setProperty("--low", String(0.5 + Math.min(share, 0)));
    input.style.setProperty("--high", String(0.5 + Math.max(share, 0)));
    input.classList.toggle("negative", value < 0);
  }
  return {
    input,
    output,
    show(value) {
      const reach = roundUp(Number.isFinite(value) ? Math.max(extent, Math.abs(value)) : extent);
      input.min = String(-reach);
      input.max = String(reach);
      input.step = String(reach / STEPS);
      input.value = String(Number.isFinite(value) ? value : 0);
      showValue(value);
    },
  };
}

/**
 * Returns the next of 1, 2, 5, 10, 20, …
 *
 * @param {number} value Greater than 0.
 */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= value) ?? 10;
  return factor * power;
}
