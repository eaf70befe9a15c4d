import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BundleError, malformed, readObject, unreadable } from "./bundle.js";
import type { Classifier } from "./classifier.js";
import { type Answers, compareAll, hasAnswers, type Outcome } from "./comparison.js";
import { ARRAYS, type DType } from "./description.js";
import { type InputArray, InputsError, toFeeds } from "./inputs.js";

/** One batch of inputs with its answers. */
export interface Case extends Answers {
  /** The inputs by name. */
  readonly arrays: Readonly<Record<string, InputArray>>;
}

/** What runs a case. */
export type Runner = Pick<Classifier, "labels" | "link" | "classify">;

/** How many calls of `makeCall` are timed, after those that warm up. */
export const CALLS = 200;
export const WARMUP = 20;

const IN_DATA_SET = /^test_data_set_\d+\/\w+\.\w+$/;

interface StatedCase extends Answers {
  readonly inputs: readonly StatedInput[];
}

interface StatedInput {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly file: string;
}

/**
 * Reads the cases of a bundle, with the files of their inputs.
 *
 * @throws {BundleError} One of the files is missing or malformed, or is that of another model.
 */
export async function readCases(
  folder: string,
  { inputs }: Pick<Classifier, "inputs">,
): Promise<Case[]> {
  const path = join(folder, "vectors.json");
  const { cases } = (await readObject(path)) as { cases?: StatedCase[] };
  if (!cases?.length) {
    throw malformed(path, "it has no cases");
  }
  return Promise.all(
    cases.map(async (exact) => {
      if (!hasAnswers(exact) || !exact.labels.length || !Array.isArray(exact.inputs)) {
        throw malformed(path, "a case lacks a key, or has no rows");
      }
      const read = async (one: StatedInput) => [one.name, await readArray(folder, one)] as const;
      const arrays = Object.fromEntries(await Promise.all(exact.inputs.map(read)));
      try {
        toFeeds(arrays, inputs);
      } catch (cause) {
        throw malformed(path, `a case has the inputs of another model: ${cause}`);
      }
      return { ...exact, arrays };
    }),
  );
}

/** Runs a case. */
export async function runCase(classifier: Runner, exact: Case): Promise<Outcome> {
  try {
    const predictions = await classifier.classify(exact.arrays);
    const rows = exact.labels.length;
    return predictions.length === rows
      ? compareAll(classifier, [...predictions.entries()], exact)
      : { largestError: 0, problem: `${predictions.length} answers for ${rows} rows` };
  } catch (error) {
    if (!(error instanceof InputsError)) {
      throw error;
    }
    return { largestError: 0, problem: error.message };
  }
}

/** Returns a call that is worth timing, of the case with the fewest rows, and how many it has. */
export function makeCall(
  classifier: Runner,
  cases: readonly Case[],
): { call: () => Promise<unknown>; rows: number } {
  const [shortest] = [...cases].sort((a, b) => a.labels.length - b.labels.length);
  const { arrays, labels } = shortest as Case;
  return { call: () => classifier.classify(arrays), rows: labels.length };
}

async function readArray(folder: string, { dtype, shape, file }: StatedInput): Promise<InputArray> {
  const path = join(folder, "vectors.json");
  if (!IN_DATA_SET.test(file)) {
    throw malformed(path, `the file of an input is in a test_data_set, ${file} is not`);
  }
  const kind = Object.hasOwn(ARRAYS, dtype) ? ARRAYS[dtype] : undefined;
  if (kind === undefined || !Array.isArray(shape)) {
    throw malformed(path, `an input has a dtype and a shape, got ${dtype} ${shape}`);
  }
  const content = await readContent(join(folder, file));
  const places = shape.reduce((product, length) => product * length, 1);
  if (content.length !== places * kind.BYTES_PER_ELEMENT) {
    throw malformed(join(folder, file), `${dtype} [${shape}] has not ${content.length} bytes`);
  }
  // a copy, since elements lie at multiples of their size; every machine with Node is little-endian
  return { data: new kind(Uint8Array.from(content).buffer), dims: shape };
}

async function readContent(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw cause instanceof BundleError ? cause : unreadable(path, cause as Error);
  }
}
