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

/** What a bundle's head.json states. */
export interface Head {
  readonly format: "1";
  /** The name of the model's file. */
  readonly model: string;
  /** The hexadecimal SHA-256 of the model and of its data files, by name. */
  readonly sha256: Readonly<Record<string, string>>;
  /** The model's input. */
  readonly inputs: readonly [features: string];
  /** The model's outputs. */
  readonly outputs: readonly [logits: string, probabilities: string];
  /** How many features a row has. */
  readonly features: number;
  /** One per class. */
  readonly labels: readonly Label[];
  readonly link: Link;
}

const FORMAT = "1";

const RULES: Record<keyof Head, (value: unknown) => boolean> = {
  format: (value) => value === FORMAT,
  model: isString,
  sha256: (value) => value instanceof Object && Object.values(value).every(isString),
  inputs: (value) => isArrayOf(isString, value) && value.length === 1,
  outputs: (value) => isArrayOf(isString, value) && value.length === 2,
  features: (value) => Number.isSafeInteger(value) && Number(value) > 0,
  labels: (value) =>
    isArrayOf(isLabel, value) && value.length > 0 && new Set(value).size === value.length,
  link: (value) => value === "softmax" || value === "sigmoid" || value === "ovr",
};

/**
 * Reads head.json, and holds the model's files to the hashes in it.
 *
 * @throws {BundleError} It is missing or malformed, or a file is not the one that was shipped.
 */
export async function readHead(folder: string): Promise<Head> {
  const path = join(folder, "head.json");
  if (!existsSync(path)) {
    throw new BundleError(
      `a bundle must have a head.json, ${folder} has none: name the bundle's folder, or copy the ` +
        "bundle again, as a whole",
    );
  }
  const document = await readObject(path);
  checkFormat(folder, document.format);
  const head = parseHead(path, document);
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
function checkFormat(folder: string, format: unknown): void {
  if (format !== undefined && format !== FORMAT) {
    throw new BundleError(
      `this client reads bundles of format 1, ${folder} states ${JSON.stringify(format)}: ship it ` +
        "again with the onnxhead that this client came with",
    );
  }
}

function parseHead(path: string, head: Record<string, unknown>): Head {
  for (const [key, isValid] of Object.entries(RULES)) {
    if (!isValid(head[key])) {
      throw malformed(path, `${key} is ${JSON.stringify(head[key])}`);
    }
  }
  return head as unknown as Head;
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

function unreadable(path: string, cause: Error): BundleError {
  return new BundleError(
    `a bundle must hold ${path}, it cannot be read (${cause.message}): copy the bundle again, ` +
      "as a whole",
    { cause },
  );
}

function isString(value: unknown): value is string {
  return typeof value === "string";
}

function isLabel(value: unknown): value is Label {
  return isString(value) || typeof value === "number" || typeof value === "boolean";
}

function isArrayOf<T>(isItem: (item: unknown) => item is T, value: unknown): value is T[] {
  return Array.isArray(value) && value.every(isItem);
}
