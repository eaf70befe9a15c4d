import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** The name of a class. */
export type Label = string | number | boolean;

/** How logits become probabilities. */
export type Link = "softmax" | "sigmoid" | "ovr";

/** A folder is no bundle, or its files are not those that were shipped. */
export class BundleError extends Error {
  override readonly name = "BundleError";
}

/** What the head.json of every format states. */
export interface Stated {
  readonly format: string;
  /** The name of the model's file. */
  readonly model: string;
  /** The hexadecimal SHA-256 of the model and of its data files, by name. */
  readonly sha256: Readonly<Record<string, string>>;
  /** The model's outputs. */
  readonly outputs: readonly [logits: string, probabilities: string];
  /** One per class. */
  readonly labels: readonly Label[];
  readonly link: Link;
}

/** Whether the value of each key is as it must be. */
export type Rules<Head> = Record<keyof Head, (value: unknown) => boolean>;

/** The rules for what every format states, but for the format itself. */
export const RULES: Rules<Omit<Stated, "format">> = {
  model: isString,
  sha256: (value) => value instanceof Object && Object.values(value).every(isString),
  outputs: (value) => isArrayOf(isString, value) && value.length === 2,
  labels: (value) =>
    isArrayOf(isLabel, value) && value.length > 0 && new Set(value).size === value.length,
  link: (value) => value === "softmax" || value === "sigmoid" || value === "ovr",
};

/**
 * Reads head.json, and holds the model's files to the hashes in it.
 *
 * @param format The format that the bundle must have.
 * @param rules What else it must state.
 * @throws {BundleError} It is missing or malformed, or a file is not the one that was shipped.
 */
export async function readStated<Head extends Stated>(
  folder: string,
  format: string,
  rules: Rules<Omit<Head, "format">>,
): Promise<Head> {
  const path = join(folder, "head.json");
  if (!existsSync(path)) {
    throw new BundleError(
      `a bundle must have a head.json, ${folder} has none: name the bundle's folder, or copy the ` +
        "bundle again, as a whole",
    );
  }
  const document = await readObject(path);
  checkFormat(folder, document.format, format);
  const isFormat = (value: unknown) => value === format;
  const head = parse<Head>(path, document, { format: isFormat, ...rules });
  for (const name of new Set([head.model, ...Object.keys(head.sha256)])) {
    await checkHash(join(folder, name), head.sha256[name]);
  }
  return head;
}

/**
 * Reads a JSON file of a bundle.
 *
 * @throws {BundleError} It is missing, or holds no object.
 */
export async function readObject(path: string): Promise<Record<string, unknown>> {
  let document: unknown;
  try {
    document = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    throw cause instanceof SyntaxError
      ? malformed(path, cause.message)
      : unreadable(path, cause as Error);
  }
  if (document === null || typeof document !== "object" || Array.isArray(document)) {
    throw malformed(path, "it is no JSON object");
  }
  return document as Record<string, unknown>;
}

/** Returns the error of a file that is there, and is not what onnxhead ships. */
export function malformed(path: string, reason: string): BundleError {
  return new BundleError(
    `${path} must be as onnxhead ships it, it is not (${reason}): copy the bundle again, as a whole`,
  );
}

/** Comes before all else, since another format may state it otherwise. */
function checkFormat(folder: string, format: unknown, wanted: string): void {
  if (format !== undefined && format !== wanted) {
    throw new BundleError(
      `this client reads bundles of format ${wanted}, ${folder} states ${JSON.stringify(format)}: ` +
        "ship it again with the onnxhead that this client came with, and take the client that is " +
        "shipped there: heads alone (format 1) and models with a backbone (format 2) have one each",
    );
  }
}

function parse<Head>(
  path: string,
  document: Record<string, unknown>,
  rules: Record<string, (value: unknown) => boolean>,
): Head {
  for (const [key, isValid] of Object.entries(rules)) {
    if (!isValid(document[key])) {
      throw malformed(path, `${key} is ${JSON.stringify(document[key])}`);
    }
  }
  return document as Head;
}

async function checkHash(path: string, stated: string | undefined): Promise<void> {
  const actual = await sha256(path);
  if (actual !== stated) {
    throw new BundleError(
      `${path} must be the file that was shipped, its SHA-256 is ${actual} and head.json ` +
        `states ${stated}: copy the bundle again, as a whole`,
    );
  }
}

async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) {
      hash.update(chunk);
    }
  } catch (cause) {
    throw unreadable(path, cause as Error);
  }
  return hash.digest("hex");
}

/** Returns the error of a file that cannot be read. */
export function unreadable(path: string, cause: Error): BundleError {
  return new BundleError(
    `a bundle must hold ${path}, it cannot be read (${cause.message}): copy the bundle again, ` +
      "as a whole",
    { cause },
  );
}

/** Tells whether a value is a string. */
export function isString(value: unknown): value is string {
  return typeof value === "string";
}

function isLabel(value: unknown): value is Label {
  return isString(value) || typeof value === "number" || typeof value === "boolean";
}

/** Tells whether a value is an array of such items. */
export function isArrayOf<T>(isItem: (item: unknown) => item is T, value: unknown): value is T[] {
  return Array.isArray(value) && value.every(isItem);
}
