// Pixels for a canvas. Pure functions.

// A colour map for numbers from 0 to 1, dark to light.
const COLOUR_MAP = [
  [12, 10, 38],
  [74, 18, 110],
  [166, 40, 104],
  [232, 98, 58],
  [250, 182, 62],
  [252, 252, 190],
];

/**
 * Write numbers as colours; below 0 and above 1 they look like 0 and 1.
 *
 * @param {Float32Array} values
 * @param {Uint8ClampedArray} rgba
 */
export function paintValues(values, rgba) {
  for (let i = 0; i < values.length; i++) {
    const position = Math.min(Math.max(values[i], 0), 1) * (COLOUR_MAP.length - 1);
    const index = Math.min(Math.floor(position), COLOUR_MAP.length - 2);
    const [low, high] = [COLOUR_MAP[index], COLOUR_MAP[index + 1]];
    for (let c = 0; c < 3; c++) {
      rgba[4 * i + c] = low[c] + (position - index) * (high[c] - low[c]);
    }
    rgba[4 * i + 3] = 255;
  }
}

/**
 * Write RGB as RGBA.
 *
 * @param {Uint8Array} rgb
 * @param {Uint8ClampedArray} rgba
 */
export function paintRgb(rgb, rgba) {
  for (let i = 0; 3 * i < rgb.length; i++) {
    for (let c = 0; c < 3; c++) rgba[4 * i + c] = rgb[3 * i + c];
    rgba[4 * i + 3] = 255;
  }
}
