// Quarter turns and mirrorings of a slice: between how it is stored and how chests are usually shown, as
// covidct/images/orientation.py has it (PS3.3 C.7.6.2.1.1). Knows arrays and boxes; knows nothing of files.

/** No turn at all. */
export const UPRIGHT = { transpose: false, flipRows: false, flipColumns: false };

/** The turn that shows a slice as usual; `orientation` holds the six values of ImageOrientationPatient. */
export function findTurn(orientation) {
  let row = orientation.slice(0, 3);
  let column = orientation.slice(3);
  const transpose = Math.abs(row[0]) < Math.abs(row[1]);
  if (transpose) [row, column] = [column, row];
  return { transpose, flipRows: column[1] < 0, flipColumns: row[0] < 0 };
}

/** Values { values, width, height } as stored -> as usual. */
export function turn({ values, width, height }, by) {
  const stored = by.transpose ? transposed({ values, width, height }) : { values, width, height };
  return flipped(stored, by);
}

/** Values { values, width, height } as usual -> as stored. */
export function turnBack(shown, by) {
  const back = flipped(shown, by);
  return by.transpose ? transposed(back) : back;
}

/** A part [left, top, right, bottom] of a slice as usual -> the same part of the slice as stored. */
export function turnBoxBack([left, top, right, bottom], by) {
  if (by.flipColumns) [left, right] = [1 - right, 1 - left];
  if (by.flipRows) [top, bottom] = [1 - bottom, 1 - top];
  return by.transpose ? [top, left, bottom, right] : [left, top, right, bottom];
}

function transposed({ values, width, height }) {
  const turned = new values.constructor(values.length);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) turned[column * height + row] = values[row * width + column];
  }
  return { values: turned, width: height, height: width };
}

function flipped({ values, width, height }, { flipRows, flipColumns }) {
  if (!flipRows && !flipColumns) return { values, width, height };
  const turned = new values.constructor(values.length);
  for (let row = 0; row < height; row++) {
    const from = (flipRows ? height - 1 - row : row) * width;
    const line = values.subarray(from, from + width);
    turned.set(flipColumns ? line.slice().reverse() : line, row * width);
  }
  return { values: turned, width, height };
}
