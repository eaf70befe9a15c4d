import assert from "node:assert/strict";
import { test } from "node:test";
import { ARRAYS, type DType, type Input } from "../description.js";
import { type InputArray, toFeeds } from "../inputs.js";

const pixels: Input = { name: "pixels", dtype: "float32", shape: [null, 3, 2] };
const mask: Input = { name: "mask", dtype: "bool", shape: [null] };
const right = {
  pixels: { data: new Float32Array(6), dims: [1, 3, 2] },
  mask: { data: Uint8Array.of(1), dims: [1] },
};

test("inputs become tensors of their types, and are not copied", () => {
  const feeds = toFeeds(right, [pixels, mask]);
  assert.deepEqual(feeds.pixels?.dims, [1, 3, 2]);
  assert.equal(feeds.pixels?.data, right.pixels.data);
  assert.deepEqual([feeds.pixels?.type, feeds.mask?.type], ["float32", "bool"]);
});

test("every type has its array", () => {
  for (const [dtype, kind] of Object.entries(ARRAYS)) {
    const input: Input = { name: "x", dtype: dtype as DType, shape: [2] };
    const { x } = toFeeds({ x: { data: new kind(2), dims: [2] } }, [input]);
    assert.equal(x?.type, dtype);
  }
});

const takes = "this model takes pixels: float32 [?, 3, 2]";
const refused: [given: object, message: string][] = [
  [{ pixels: undefined }, `${takes}, got data that is undefined: pass a Float32Array and dims`],
  [{ pixels: null }, `${takes}, got data that is undefined: pass a Float32Array and dims`],
  [{ pixels: { data: [1], dims: [1] } }, `${takes}, got data that is a Array: pass a Float32Array`],
  [
    { pixels: { data: new Float64Array(6), dims: [1, 3, 2] } },
    `${takes}, got data that is a Float64Array: pass a Float32Array and dims, { data, dims }`,
  ],
  [{ pixels: { data: new Float32Array(6) } }, `${takes}, got dims undefined: pass as many axes`],
  [
    { pixels: { data: new Float32Array(6), dims: [3, 2] } },
    `${takes}, got dims [3,2]: pass as many axes, of the lengths that are fixed`,
  ],
  [{ pixels: { data: new Float32Array(6), dims: [1, 2, 3] } }, `${takes}, got dims [1,2,3]`],
  [{ pixels: { data: new Float32Array(), dims: [0, 3, 2] } }, `${takes}, got dims [0,3,2]`],
  [{ pixels: { data: new Float32Array(6), dims: ["1", 3, 2] } }, `${takes}, got dims ["1",3,2]`],
  [
    { pixels: { data: new Float32Array(5), dims: [1, 3, 2] } },
    `${takes}, got 5 elements for dims [1,3,2]: pass one per place`,
  ],
  [{ mask: { data: Uint8Array.of(2), dims: [1] } }, "got others than 0 and 1: pass 0 for false"],
  [{ another: right.mask }, 'mask: bool [?], and no "another": leave it out'],
];

for (const [given, message] of refused) {
  test(`${message} is what is said`, () => {
    assert.throws(
      () => toFeeds({ ...right, ...given } as Record<string, InputArray>, [pixels, mask]),
      ({ name, message: found }: Error) => name === "InputsError" && found.includes(message),
    );
  });
}

test("an input that is missing is named", () => {
  assert.throws(() => toFeeds({ pixels: right.pixels }, [pixels, mask]), {
    name: "InputsError",
    message: `${takes}; mask: bool [?]: pass an array for mask too`,
  });
});
