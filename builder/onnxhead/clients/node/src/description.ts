import { isArrayOf, isString, RULES, readStated, type Stated } from "./bundle.js";

/** What a head's head.json states. */
export interface Head extends Stated {
  /** The model's input. */
  readonly inputs: readonly [features: string];
  /** How many features a row has. */
  readonly features: number;
}

const FORMAT = "1";

/**
 * Reads head.json, and holds the model's files to the hashes in it.
 *
 * @throws {BundleError} It is missing or malformed, or a file is not the one that was shipped.
 */
export async function readHead(folder: string): Promise<Head> {
  return readStated<Head>(folder, FORMAT, {
    ...RULES,
    inputs: (value) => isArrayOf(isString, value) && value.length === 1,
    features: (value) => Number.isSafeInteger(value) && Number(value) > 0,
  });
}
