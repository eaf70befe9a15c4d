import { Tensor } from "onnxruntime-node";
import { ARRAYS, type DType, describeInput, type Input } from "./description.js";

/** The elements of an input. */
export type Elements = InstanceType<(typeof ARRAYS)[DType]>;

/** An array with axes. */
export interface InputArray {
  /** The elements in row-major order, the batch first; of a boolean input 0 and 1. */
  readonly data: Elements;
  /** The length of each axis. */
  readonly dims: readonly number[];
}

/** Inputs that are not those of the model, or that it does not run on. */
export class InputsError extends Error {
  override readonly name = "InputsError";
}

/**
 * Returns what onnxruntime is given for inputs. Elements are not copied.
 *
 * @throws {InputsError} They are not those of the model.
 */
export function toFeeds(
  given: Readonly<Record<string, InputArray>>,
  inputs: readonly Input[],
): Record<string, Tensor> {
  const taken = inputs.map(describeInput).join("; ");
  const unknown = Object.keys(given).find((key) => !inputs.some(({ name }) => name === key));
  if (unknown !== undefined) {
    throw new InputsError(
      `this model takes ${taken}, and no ${JSON.stringify(unknown)}: leave it out`,
    );
  }
  const feeds: [name: string, tensor: Tensor][] = inputs.map((input) => {
    if (!Object.hasOwn(given, input.name)) {
      throw new InputsError(`this model takes ${taken}: pass an array for ${input.name} too`);
    }
    const { data, dims } = checkArray(given[input.name], input);
    return [input.name, new Tensor(input.dtype as "float32", data as Float32Array, dims)];
  });
  return Object.fromEntries(feeds);
}

/** Writes the inputs that were given. */
export function describeFeeds(feeds: Readonly<Record<string, Tensor>>): string {
  return Object.entries(feeds)
    .map(([name, { type, dims }]) => `${name}: ${type} [${dims.join(", ")}]`)
    .join("; ");
}

function checkArray(given: InputArray | undefined, wanted: Input): InputArray {
  const start = `this model takes ${describeInput(wanted)}, got`;
  const { data, dims } = (given ?? {}) as Partial<InputArray>;
  const kind = ARRAYS[wanted.dtype];
  if (!(data instanceof kind)) {
    throw new InputsError(
      `${start} data that is ${nameKind(data)}: pass a ${kind.name} and dims, { data, dims }`,
    );
  }
  if (!Array.isArray(dims) || !fits(dims, wanted.shape)) {
    throw new InputsError(
      `${start} dims ${JSON.stringify(dims)}: pass as many axes, of the lengths that are fixed, ` +
        "and none of length 0",
    );
  }
  const places = dims.reduce((product, length) => product * length, 1);
  if (places !== data.length) {
    throw new InputsError(
      `${start} ${data.length} elements for dims ${JSON.stringify(dims)}: pass one per place, the ` +
        "last axis first to change",
    );
  }
  if (wanted.dtype === "bool" && (data as Uint8Array).some((element) => element > 1)) {
    throw new InputsError(`${start} others than 0 and 1: pass 0 for false and 1 for true`);
  }
  return { data, dims };
}

function fits(dims: readonly unknown[], shape: Input["shape"]): boolean {
  return (
    dims.length === shape.length &&
    dims.every(
      (length, place) =>
        Number.isSafeInteger(length) &&
        Number(length) > 0 &&
        (shape[place] === null || shape[place] === length),
    )
  );
}

function nameKind(data: unknown): string {
  return data instanceof Object ? `a ${data.constructor.name}` : String(data);
}
