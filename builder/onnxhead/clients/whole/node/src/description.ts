import { isArrayOf, isString, RULES, readStated, type Stated } from "./bundle.js";

/** The arrays of each type that an input may have; booleans are 0 and 1. */
export const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  bool: Uint8Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
} as const;

/** The type of an input's elements. */
export type DType = keyof typeof ARRAYS;

/** What a model takes. */
export interface Input {
  readonly name: string;
  readonly dtype: DType;
  /** The length of each axis; null where it is free. */
  readonly shape: readonly (number | null)[];
}

/** What a whole model's head.json states. */
export interface Head extends Stated {
  readonly inputs: readonly Input[];
}

const FORMAT = "2";

/**
 * Reads head.json, and holds the model's files to the hashes in it.
 *
 * @throws {BundleError} It is missing or malformed, or a file is not the one that was shipped.
 */
export async function readHead(folder: string): Promise<Head> {
  return readStated<Head>(folder, FORMAT, {
    ...RULES,
    inputs: (value) =>
      isArrayOf(isInput, value) &&
      value.length > 0 &&
      new Set(value.map(({ name }) => name)).size === value.length,
  });
}

/** Writes an input with ? for an axis that is free. */
export function describeInput({ name, dtype, shape }: Input): string {
  return `${name}: ${dtype} [${shape.map((axis) => axis ?? "?").join(", ")}]`;
}

function isInput(value: unknown): value is Input {
  const { name, dtype, shape } = (value ?? {}) as Partial<Input>;
  return (
    isString(name) && isString(dtype) && Object.hasOwn(ARRAYS, dtype) && isArrayOf(isAxis, shape)
  );
}

function isAxis(value: unknown): value is number | null {
  return value === null || (Number.isSafeInteger(value) && Number(value) > 0);
}
