// The numbers behind the explorer of Visualize Stages, apart from the page they are shown on.
// Like every .js file here it is loaded as an extension; on its own it does nothing.

const MAGIC = "DPTS";
const VERSION = 1;

// Low to high: the colours that numbers from 0 to 1 are drawn in.
const COLORS = [
  [12, 10, 38],
  [74, 18, 110],
  [166, 40, 104],
  [232, 98, 58],
  [250, 182, 62],
  [252, 252, 190],
];

/**
 * Read what the node packed: a header and what it points to, as views that copy nothing.
 *
 * @param {ArrayBuffer} buffer
 * @returns {{title: string, photo: Uint8Array, depth: Uint8Array, maps: StageMap[]}} JPEG
 *   pictures, and maps with `rows`, `columns`, `length`, `vectors` (half floats as Uint16Array)
 *   and `rgb`.
 * @throws {Error} in one sentence, if it is something else.
 */
export function readPack(buffer) {
  const bytes = new Uint8Array(buffer);
  const magic = String.fromCharCode(...bytes.subarray(0, 4));
  if (bytes.length < 8 || magic !== MAGIC) {
    throw new Error("The server sent something else than stages; run the workflow again.");
  }
  const start = 8 + new DataView(buffer).getUint32(4, true);
  if (start > bytes.length) throw new Error(CUT_OFF);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
  if (header.version !== VERSION) {
    throw new Error("The stages were made by another version of this pack; reload the page.");
  }
  const view = (Kind, offset, length) => {
    if (start + offset + length * Kind.BYTES_PER_ELEMENT > bytes.length) throw new Error(CUT_OFF);
    return new Kind(buffer, start + offset, length);
  };
  return {
    title: header.title,
    photo: view(Uint8Array, header.photo.offset, header.photo.length),
    depth: view(Uint8Array, header.depth.offset, header.depth.length),
    maps: header.maps.map((map) => {
      const cells = map.rows * map.columns;
      return {
        ...map,
        vectors: view(Uint16Array, map.vectors, cells * map.length),
        rgb: view(Uint8Array, map.rgb, cells * 3),
      };
    }),
  };
}

const CUT_OFF = "The stages were cut off on their way; run the workflow again.";

/** Half floats (IEEE 754 binary16) as ordinary ones. @param {Uint16Array} halves */
export function toFloats(halves) {
  const floats = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i];
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    floats[i] =
      exponent === 0
        ? sign * fraction * 2 ** -24
        : exponent === 31
          ? fraction
            ? NaN
            : sign * Infinity
          : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }
  return floats;
}

/** Index of the cell of a map that a place (x, y in 0 to 1) lies in. */
export function cellAt(map, x, y) {
  const at = (place, count) => Math.min(Math.max(Math.floor(place * count), 0), count - 1);
  return at(y, map.rows) * map.columns + at(x, map.columns);
}

/** The middle of the cell so many columns and rows from the one that a place lies in. */
export function neighbour(map, { x, y }, columns, rows) {
  const index = cellAt(map, x, y);
  const middle = (cell, count) => (Math.min(Math.max(cell, 0), count - 1) + 0.5) / count;
  return {
    x: middle((index % map.columns) + columns, map.columns),
    y: middle(Math.floor(index / map.columns) + rows, map.rows),
  };
}

/**
 * Cosine similarity of every cell to one.
 *
 * @param {Float32Array} vectors unit vectors, one after another
 * @param {number} length numbers in a vector
 * @param {number} index the cell to compare with
 * @param {Float32Array} out one number for each cell
 */
export function similarity(vectors, length, index, out) {
  const own = vectors.subarray(index * length, (index + 1) * length);
  for (let cell = 0, at = 0; cell < out.length; cell++) {
    let sum = 0;
    for (let i = 0; i < length; i++, at++) sum += own[i] * vectors[at];
    out[cell] = sum;
  }
}

/** Numbers to RGBA: 0 and below is the low end, 1 the high one. */
export function paintNumbers(values, rgba) {
  for (let i = 0; i < values.length; i++) {
    const place = Math.min(Math.max(values[i], 0), 1) * (COLORS.length - 1);
    const low = Math.min(Math.floor(place), COLORS.length - 2);
    for (let c = 0; c < 3; c++) {
      rgba[4 * i + c] = COLORS[low][c] + (place - low) * (COLORS[low + 1][c] - COLORS[low][c]);
    }
    rgba[4 * i + 3] = 255;
  }
}

/** RGB bytes to RGBA. */
export function paintColors(rgb, rgba) {
  for (let i = 0; 3 * i < rgb.length; i++) {
    for (let c = 0; c < 3; c++) rgba[4 * i + c] = rgb[3 * i + c];
    rgba[4 * i + 3] = 255;
  }
}

/** Columns for a number of pictures of one size: few holes, and a shape near to the wanted one. */
export function columnsFor(count, aspect, wanted = 1.6) {
  let best = 1;
  let least = Infinity;
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const shape = Math.abs(Math.log((columns * aspect) / rows / wanted));
    const cost = shape + (3 * (rows * columns - count)) / count;
    if (cost < least) [best, least] = [columns, cost];
  }
  return best;
}
