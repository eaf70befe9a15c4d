const REMEDY = "pass those that the head was trained on, in their order";

/** Features have another width, or are not numbers. */
export class FeaturesError extends Error {
  override readonly name = "FeaturesError";
}

/**
 * Returns one row as float32: a Float32Array as it is, anything else as a copy.
 *
 * @throws {FeaturesError} It has another width, or holds what is not a number.
 */
export function packRow(row: ArrayLike<number>, width: number): Float32Array {
  if (!(row instanceof Float32Array)) {
    return packRows([row], width);
  }
  checkWidth(row, width, 0);
  return row;
}

/**
 * Returns rows as float32, one after the other: a Float32Array as it is, anything else as a copy.
 *
 * @throws {FeaturesError} A row has another width, or holds what is not a number.
 */
export function packRows(
  rows: Float32Array | readonly ArrayLike<number>[],
  width: number,
): Float32Array {
  if (rows instanceof Float32Array) {
    if (rows.length % width !== 0) {
      throw new FeaturesError(
        `a row must have ${width} features, got ${rows.length} for all rows: ${REMEDY}`,
      );
    }
    return rows;
  }
  const packed = new Float32Array(rows.length * width);
  for (const [index, row] of rows.entries()) {
    checkWidth(row, width, index);
    checkNumbers(row, index);
    packed.set(row, index * width);
  }
  return packed;
}

function checkWidth(row: ArrayLike<number> | undefined, width: number, index: number): void {
  if (row?.length !== width) {
    throw new FeaturesError(
      `a row must have ${width} features, row ${index} has ${row?.length}: ${REMEDY}`,
    );
  }
}

/** JavaScript would turn null into 0 and text into NaN. */
function checkNumbers(row: ArrayLike<unknown>, index: number): void {
  for (let i = 0; i < row.length; i++) {
    if (typeof row[i] !== "number") {
      throw new FeaturesError(
        `features must be numbers, feature ${i} of row ${index} is ${typeof row[i]} ${row[i]}: convert it`,
      );
    }
  }
}
