/** What every part of the page needs of the document. */

/**
 * Finds an element of index.html.
 *
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function find(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new TypeError(`index.html must have a ${type.name} #${id}`);
  return found;
}

/**
 * Makes an element.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Partial<HTMLElementTagNameMap[K]>} [properties]
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/**
 * Makes a variable with its indices below the line, such as f with 3.
 *
 * @param {string} variable
 * @param {(string | number)[]} indices
 */
export function makeSymbol(variable, ...indices) {
  return make("span", { className: "symbol" }, make("i", {}, variable), ...indices.map(makeIndex));
}

/** @param {string | number} index */
function makeIndex(index) {
  return make("sub", {}, String(index));
}
