// The SVG shapes of marks. `pixel` is the length of a screen pixel in the picture's pixels, so that
// the shapes keep their size when one zooms.

import { createSvgElement } from "../lib/dom.js";
import { BACKGROUND, CORNERS, cornerPosition, FOREGROUND } from "./marks.js";

/** @import { Box, Point } from "./marks.js" */

/** @type {Record<number, string>} */
const LABEL_COLOURS = { [FOREGROUND]: "#2fbf5b", [BACKGROUND]: "#e5484d" };
const BOX_COLOUR = "#f5a524";
const VALUE_COLOUR = "#5b9dff";

/**
 * A point with a plus or a minus: foreground or background.
 *
 * @param {Point} point
 * @param {boolean} isSelected
 * @param {number} pixel
 * @returns {SVGElement[]}
 */
export function labelledPoint({ x, y, label = FOREGROUND }, isSelected, pixel) {
  const [cx, cy, arm] = [x + 0.5, y + 0.5, 3.5 * pixel];
  const upright = label === FOREGROUND ? ` M ${cx} ${cy - arm} v ${2 * arm}` : "";
  const sign = `M ${cx - arm} ${cy} h ${2 * arm}${upright}`;
  const r = (isSelected ? 9 : 7) * pixel;
  const outline = whiteOutline(isSelected, pixel);
  return [
    createSvgElement("circle", { cx, cy, r, fill: LABEL_COLOURS[label], ...outline }),
    createSvgElement("path", { d: sign, stroke: "#fff", "stroke-width": 1.8 * pixel }),
  ];
}

/**
 * A point with a text beside it; when selected, an input stands there instead.
 *
 * @param {Point} point
 * @param {string} text
 * @param {boolean} isSelected
 * @param {number} pixel
 * @returns {SVGElement[]}
 */
export function pointWithText({ x, y }, text, isSelected, pixel) {
  const [cx, cy] = [x + 0.5, y + 0.5];
  const r = (isSelected ? 6 : 5) * pixel;
  const outline = whiteOutline(isSelected, pixel);
  const dot = [
    createSvgElement("circle", { cx, cy, r, fill: VALUE_COLOUR, ...outline }),
    createSvgElement("circle", { cx, cy, r: 1.2 * pixel, fill: "#fff" }),
  ];
  if (isSelected) return dot;
  const label = createSvgElement("text", {
    x: cx + 10 * pixel,
    y: cy + 4 * pixel,
    "font-size": 12 * pixel,
    "font-family": "sans-serif",
    fill: "#fff",
    stroke: "#000b",
    "stroke-width": 3 * pixel,
    "paint-order": "stroke",
    "pointer-events": "none",
  });
  label.textContent = text;
  return [...dot, label];
}

/**
 * A box, with a handle at each corner when selected.
 *
 * @param {Box} box
 * @param {boolean} isSelected
 * @param {number} pixel
 * @returns {SVGElement[]}
 */
export function boxOutline(box, isSelected, pixel) {
  const { x, y, width, height } = box;
  const outline = { fill: "none", stroke: BOX_COLOUR, "stroke-width": 2 * pixel };
  const rectangle = createSvgElement("rect", { x, y, width, height, ...outline });
  if (!isSelected) return [rectangle];
  const side = 8 * pixel;
  const handles = CORNERS.map((corner) => {
    const at = cornerPosition(box, corner);
    return createSvgElement("rect", {
      x: at.x - side / 2,
      y: at.y - side / 2,
      width: side,
      height: side,
      fill: "#fff",
      stroke: BOX_COLOUR,
      "stroke-width": pixel,
    });
  });
  return [rectangle, ...handles];
}

/** @param {boolean} isSelected @param {number} pixel */
function whiteOutline(isSelected, pixel) {
  return { stroke: "#fff", "stroke-width": (isSelected ? 2.5 : 1.5) * pixel };
}
