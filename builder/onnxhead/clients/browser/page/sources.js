/** Where rows come from: the examples of the bundle, and files that are chosen or dropped. */

import { find, make } from "./dom.js";
import { parseRows, RowError } from "./rows.js";

/** @import { Case } from "../onnxhead/bundle.js" */

/**
 * Sets up the list of sources, the choice of a row, the button for a file, and dropping one anywhere.
 *
 * @param {Case[]} cases
 * @param {number} features
 * @param {(row: Float32Array) => void} onRow Called with the row that is chosen.
 * @returns {{ open: (name: string) => void, show: () => void }} `open` chooses a source by its name, `show` offers
 *     the way back to the chosen row, since another is shown.
 */
export function createSources(cases, features, onRow) {
  const select = find("source", HTMLSelectElement);
  const stepper = find("stepper", HTMLFieldSetElement);
  const number = find("row-number", HTMLInputElement);
  const restore = find("restore", HTMLButtonElement);

  /** @type {Map<string, Float32Array[]>} */
  const sources = new Map();
  let chosen = 0;

  /**
   * @param {string} name
   * @param {Float32Array[]} rows
   */
  function add(name, rows) {
    if (!sources.has(name)) select.add(make("option", { value: name }, name));
    sources.set(name, rows);
  }

  /** @param {string} name */
  function open(name) {
    select.value = name;
    const count = chosenRows().length;
    stepper.hidden = count === 1;
    number.max = String(count);
    find("row-count", HTMLSpanElement).textContent = `of ${count}`;
    choose(0);
  }

  const chosenRows = () => sources.get(select.value) ?? [];

  /** @param {number} i The row before the first is the last, the one after that the first. */
  function choose(i) {
    const rows = chosenRows();
    chosen = (i + rows.length) % rows.length;
    number.value = String(chosen + 1);
    restore.hidden = true;
    onRow(rows[chosen]);
  }

  for (const { name, features: rows } of cases) {
    if (rows.length === 0) continue;
    add(
      name,
      rows.map((row) => Float32Array.from(row)),
    );
  }
  select.addEventListener("change", () => open(select.value));
  number.addEventListener("input", () => {
    if (number.checkValidity() && number.value !== "") choose(number.valueAsNumber - 1);
  });
  onClick("previous-row", () => choose(chosen - 1));
  onClick("next-row", () => choose(chosen + 1));
  onClick("restore", () => {
    select.focus(); // the button goes away
    choose(chosen);
  });
  acceptFiles(features, (name, rows) => {
    add(name, rows);
    open(name);
  });
  return {
    open,
    show() {
      restore.hidden = false;
    },
  };
}

/**
 * @param {number} features
 * @param {(name: string, rows: Float32Array[]) => void} onRows
 */
function acceptFiles(features, onRows) {
  const input = find("file", HTMLInputElement);
  const problem = find("file-problem", HTMLParagraphElement);

  /** @param {File | undefined} file */
  async function read(file) {
    if (!file) return;
    problem.textContent = "";
    try {
      onRows(file.name, parseRows(await file.text(), features));
    } catch (error) {
      // a DOMException where it cannot be read, as a folder
      if (!(error instanceof RowError || error instanceof DOMException)) throw error;
      problem.textContent = `${file.name}: ${error.message}`;
    }
  }

  input.addEventListener("change", async () => {
    await read(input.files?.[0]);
    input.value = ""; // so that the same file can be chosen again
  });
  acceptDrops(read);
}

/** @param {(file: File | undefined) => void} onFile */
function acceptDrops(onFile) {
  const { classList } = document.body;
  /** @param {DragEvent} event */
  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");

  document.addEventListener("dragover", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    classList.remove("dropping");
    onFile(event.dataTransfer?.files[0]);
  });
}

/**
 * @param {string} id
 * @param {() => void} listener
 */
function onClick(id, listener) {
  find(id, HTMLButtonElement).addEventListener("click", listener);
}
