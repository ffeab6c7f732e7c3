// What the editor says below the picture and over it.

import { countOutside } from "./marks.js";

/** @import { Marks, Size } from "./marks.js" */
/** @import { PointValue } from "./text_formats.js" */

export const NO_PICTURE =
  "Connect a Load Image node, or run the workflow once: the picture then appears here.";
export const READ_ONLY = "The points come from another node.";

/**
 * @param {Marks} marks
 * @param {Size | null} size of the picture
 * @param {PointValue | null} pointValue
 * @returns {string | null} what the node would refuse in these marks
 */
export function findProblem(marks, size, pointValue) {
  const outside = size === null ? 0 : countOutside(marks, size);
  if (outside) return `${outside} marked outside of this picture: clear, or set it anew.`;
  if (pointValue === null) return null;
  const { key, question } = pointValue;
  const missing = marks.points.filter((point) => point[key] === null).length;
  return missing ? `${count(missing, "point")} without a number: ${question}` : null;
}

/** @param {Marks} marks @param {string} help */
export function describe({ points, boxes }, help) {
  const counts = [count(points.length, "point"), count(boxes.length, "box", "es")];
  return [counts.filter(Boolean).join(", "), help].filter(Boolean).join(" — ");
}

/** @param {number} number @param {string} noun @param {string} ending of the plural */
function count(number, noun, ending = "s") {
  return number ? `${number} ${noun}${number === 1 ? "" : ending}` : "";
}
