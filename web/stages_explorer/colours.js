// Pixels for a canvas. Pure functions.

/**
 * Write numbers as colours; below 0 and above 1 they look like 0 and 1.
 *
 * @param {Float32Array} values
 * @param {Uint8Array} colourMap RGB for 0 to 1, evenly spaced
 * @param {Uint8ClampedArray} rgba
 */
export function paintValues(values, colourMap, rgba) {
  const last = colourMap.length / 3 - 1;
  for (let i = 0; i < values.length; i++) {
    const index = Math.round(Math.min(Math.max(values[i], 0), 1) * last);
    for (let c = 0; c < 3; c++) rgba[4 * i + c] = colourMap[3 * index + c];
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
