/** The files of a bundle, as its head.json describes them. */

import { sha256 } from "@noble/hashes/sha2.js"; // crypto.subtle is missing where a page comes over plain http
import { bytesToHex } from "@noble/hashes/utils.js";
import { BundleError } from "./errors.js";

const FORMAT = "1";

/** @typedef {string | number | boolean} Label */

/**
 * What head.json says.
 *
 * @typedef {object} Head
 * @property {string} format The version of the bundle: "1".
 * @property {string} model The name of the .onnx file.
 * @property {Record<string, string>} sha256 Of the model and each data file, the hash in hexadecimal.
 * @property {string[]} inputs The name of the model's input.
 * @property {string[]} outputs The names of its outputs: logits, then probabilities.
 * @property {number} features How many features a row has.
 * @property {number} classes How many classes there are.
 * @property {Label[]} labels One per class.
 * @property {"softmax" | "sigmoid" | "ovr"} link How logits become probabilities.
 * @property {number} temperature The divisor of the logits before the link.
 */

/**
 * One batch of vectors.json: rows with their exact answers, and how far an answer may be from them.
 *
 * @typedef {object} Case
 * @property {string} name
 * @property {number[][]} features
 * @property {number[][]} logits
 * @property {number[][]} probabilities
 * @property {(Label | Label[] | null)[]} labels Per row; null where float32 arithmetic may decide otherwise.
 * @property {number[][]} logits_tolerance
 * @property {number[]} probabilities_tolerance Per row.
 */

/**
 * Reads head.json, and the files that it names.
 *
 * @param {string | URL} folder Where the bundle is, relative to the page.
 * @returns {Promise<{ head: Head, files: Map<string, Uint8Array> }>}
 * @throws {BundleError} It is missing or malformed, or a file is not the one that was shipped.
 */
export async function readBundle(folder) {
  const head = await readJson(folder, "head.json");
  // before all else, since another format may state it otherwise
  if (head?.format !== undefined && head.format !== FORMAT) {
    throw new BundleError(
      `this client reads bundles of format 1, ${folder} states ${JSON.stringify(head.format)}: ` +
        "ship it again with the onnxhead that this client came with",
    );
  }
  if (!isHead(head)) {
    throw malformed(makeUrl(folder, "head.json"), "a key is missing, or of another type");
  }
  const files = await Promise.all(
    Object.entries(head.sha256).map(async ([name, stated]) => {
      const bytes = await readFile(folder, name);
      checkHash(name, bytes, stated);
      return /** @type {const} */ ([name, bytes]);
    }),
  );
  return { head, files: new Map(files) };
}

/**
 * Reads the cases of vectors.json.
 *
 * @param {string | URL} folder Where the bundle is, relative to the page.
 * @returns {Promise<Case[]>}
 * @throws {BundleError} It is missing or malformed.
 */
export async function readCases(folder) {
  const vectors = await readJson(folder, "vectors.json");
  if (!vectors?.cases?.length) {
    throw malformed(makeUrl(folder, "vectors.json"), "it has no cases");
  }
  return vectors.cases;
}

/**
 * @param {any} head
 * @returns {head is Head}
 */
function isHead(head) {
  return (
    head?.format === FORMAT &&
    typeof head.sha256?.[head.model] === "string" &&
    areStrings(head.inputs, 1) &&
    areStrings(head.outputs, 2) &&
    Number.isInteger(head.features) &&
    Array.isArray(head.labels) &&
    head.labels.length > 0 &&
    head.labels.length === head.classes &&
    ["softmax", "sigmoid", "ovr"].includes(head.link) &&
    Number.isFinite(head.temperature)
  );
}

/**
 * @param {unknown} names
 * @param {number} count
 */
function areStrings(names, count) {
  return (
    Array.isArray(names) &&
    names.length === count &&
    names.every((name) => typeof name === "string")
  );
}

/**
 * @param {string} name
 * @param {Uint8Array} bytes
 * @param {string} stated
 */
function checkHash(name, bytes, stated) {
  const found = bytesToHex(sha256(bytes));
  if (found !== stated) {
    throw new BundleError(
      `${name} must be the file that was shipped, its SHA-256 is ${found} and head.json states ${stated}: ` +
        "copy the bundle again, as a whole",
    );
  }
}

/**
 * @param {string | URL} folder
 * @param {string} name
 * @returns {Promise<any>}
 */
async function readJson(folder, name) {
  const text = new TextDecoder().decode(await readFile(folder, name));
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw malformed(makeUrl(folder, name), "it is no JSON", cause);
  }
}

/**
 * @param {string | URL} folder
 * @param {string} name
 */
async function readFile(folder, name) {
  const url = makeUrl(folder, name);
  try {
    const response = await fetch(url, { cache: "no-cache" }); // else files of two bundles could meet
    if (!response.ok) throw new Error(`the server answers ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : cause;
    const message =
      name === "head.json"
        ? `a bundle must have a head.json, ${folder} has none (${found}): name the bundle's folder, or copy`
        : `a bundle must hold ${url}, it cannot be read (${found}): copy`;
    throw new BundleError(`${message} the bundle again, as a whole`, { cause });
  }
}

/**
 * @param {string | URL} folder
 * @param {string} name
 */
function makeUrl(folder, name) {
  return `${String(folder).replace(/\/$/, "")}/${encodeURIComponent(name)}`;
}

/**
 * Returns the error of a file that is there, and is not what onnxhead ships.
 *
 * @param {string} url
 * @param {string} reason
 * @param {unknown} [cause]
 */
function malformed(url, reason, cause) {
  return new BundleError(
    `${url} must be as onnxhead ships it, it is not (${reason}): copy the bundle again, as a whole`,
    { cause },
  );
}
