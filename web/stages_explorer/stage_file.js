// Reads the file that the server writes for the explorer. dpt_core/stages/explorer.py describes
// and writes it.

/**
 * @typedef {object} FeatureMap what one stage or one block of the model sees: a vector for each
 *   cell of a grid
 * @property {string} label
 * @property {string} kind "block" for a single block of the encoder
 * @property {string} note
 * @property {number} rows
 * @property {number} columns
 * @property {number} channels of the model; the vectors are shorter
 * @property {number} length of a vector
 * @property {Uint16Array} vectors half floats, one unit vector after another
 * @property {Uint8Array} rgb the main components as colours
 *
 * @typedef {object} StageFile
 * @property {string} title
 * @property {Uint8Array<ArrayBuffer>} photo a JPEG
 * @property {Uint8Array<ArrayBuffer>} depth a JPEG
 * @property {Uint8Array} colourMap RGB of the node's colour map, low to high
 * @property {FeatureMap[]} maps
 */

const MAGIC = "DPTS";
const VERSION = 1;
const PREFIX_LENGTH = 8; // the magic and the length of the header
const CUT_OFF = "The download of the stages was cut off; run the workflow again.";

/**
 * The arrays are views of the buffer, not copies.
 *
 * @param {ArrayBuffer} buffer
 * @returns {StageFile}
 * @throws {Error} of one sentence, if it is another kind of file
 */
export function readStageFile(buffer) {
  const bytes = new Uint8Array(buffer);
  const magic = String.fromCharCode(...bytes.subarray(0, MAGIC.length));
  if (bytes.length < PREFIX_LENGTH || magic !== MAGIC) {
    throw new Error("The server did not send any stages; run the workflow again.");
  }
  const start = PREFIX_LENGTH + new DataView(buffer).getUint32(MAGIC.length, true);
  if (start > bytes.length) throw new Error(CUT_OFF);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(PREFIX_LENGTH, start)));
  if (header.version !== VERSION) {
    throw new Error("The stages come from another version of this pack; reload the page.");
  }

  /** @param {number} offset @param {number} size in bytes */
  const locate = (offset, size) => {
    if (start + offset + size > bytes.length) throw new Error(CUT_OFF);
    return start + offset;
  };
  /** @param {number} offset @param {number} length */
  const readBytes = (offset, length) => new Uint8Array(buffer, locate(offset, length), length);
  /** @param {number} offset @param {number} length */
  const readHalfFloats = (offset, length) =>
    new Uint16Array(buffer, locate(offset, 2 * length), length);
  /** @param {{rows: number, columns: number, length: number, vectors: number, rgb: number}} map */
  const readMap = (map) => {
    const cells = map.rows * map.columns;
    return {
      ...map,
      vectors: readHalfFloats(map.vectors, cells * map.length),
      rgb: readBytes(map.rgb, cells * 3),
    };
  };
  return {
    title: header.title,
    photo: readBytes(header.photo.offset, header.photo.length),
    depth: readBytes(header.depth.offset, header.depth.length),
    colourMap: readBytes(header.colormap.offset, header.colormap.length),
    maps: header.maps.map(readMap),
  };
}

/**
 * Convert half floats (IEEE 754 binary16), for which JavaScript has no array of its own.
 *
 * @param {Uint16Array} halves
 */
export function halfToFloat(halves) {
  const floats = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) floats[i] = decodeHalf(halves[i]);
  return floats;
}

/** @param {number} bits */
function decodeHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
