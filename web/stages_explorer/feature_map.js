// Cells of a feature map, and how similar they are. Positions are x and y from 0 to 1. Pure
// functions.

/**
 * @typedef {{x: number, y: number}} Position
 * @typedef {{rows: number, columns: number}} Grid
 */

/**
 * @param {Grid} grid
 * @param {number} x
 * @param {number} y
 * @returns {number} the index of the cell there
 */
export function cellAt({ rows, columns }, x, y) {
  /** @param {number} position @param {number} count */
  const at = (position, count) => clamp(Math.floor(position * count), count);
  return at(y, rows) * columns + at(x, columns);
}

/**
 * @param {Grid} grid
 * @param {Position} position
 * @param {number} columns to go to the right
 * @param {number} rows to go down
 * @returns {Position} the middle of the cell there
 */
export function neighbour(grid, { x, y }, columns, rows) {
  const index = cellAt(grid, x, y);
  /** @param {number} cell @param {number} count */
  const middle = (cell, count) => (clamp(cell, count) + 0.5) / count;
  return {
    x: middle((index % grid.columns) + columns, grid.columns),
    y: middle(Math.floor(index / grid.columns) + rows, grid.rows),
  };
}

/**
 * Write the cosine similarity of every cell to one.
 *
 * @param {Float32Array} vectors unit vectors, one after another
 * @param {number} length of a vector
 * @param {number} index of the cell to compare with
 * @param {Float32Array} out one number for each cell
 */
export function similarity(vectors, length, index, out) {
  const reference = vectors.subarray(index * length, (index + 1) * length);
  for (let cell = 0, at = 0; cell < out.length; cell++) {
    let sum = 0;
    for (let i = 0; i < length; i++, at++) sum += reference[i] * vectors[at];
    out[cell] = sum;
  }
}

/** @param {number} index @param {number} count */
function clamp(index, count) {
  return Math.min(Math.max(index, 0), count - 1);
}
