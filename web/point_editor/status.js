// What the editor says below the picture and over it.

import { countOutside } from "./marks.js";

/** @import { Marks, Size } from "./marks.js" */
/** @import { PointValue } from "./text_formats.js" */

export const NO_IMAGE = "Connect an image to the image input to mark points on it here.";
export const NOT_RUN = "Run the workflow once to see the image here.";
export const READ_ONLY = "The points come from another node.";

/**
 * @param {Marks} marks
 * @param {Size | null} size of the picture
 * @param {PointValue | null} pointValue
 * @returns {string | null} what the node would refuse in these marks
 */
export function findProblem(marks, size, pointValue) {
  const outside = size === null ? 0 : countOutside(marks, size);
  if (outside === 1) return "1 mark lies outside this image: clear it or place it again.";
  if (outside) return `${outside} marks lie outside this image: clear them or place them again.`;
  if (pointValue === null) return null;
  const { key, question } = pointValue;
  const missing = marks.points.filter((point) => point[key] === null).length;
  return missing ? `${count(missing, "point")} without a distance. ${question}` : null;
}

/**
 * @param {Marks} marks
 * @param {string} help
 * @param {number} [imageCount] of a batch, whose first image is shown
 */
export function describe({ points, boxes }, help, imageCount = 1) {
  const batch = imageCount > 1 ? `image 1 of ${imageCount}` : "";
  const counts = [count(points.length, "point"), count(boxes.length, "box", "es")];
  return [batch, counts.filter(Boolean).join(", "), help].filter(Boolean).join(" — ");
}

/** @param {number} number @param {string} noun @param {string} ending of the plural */
function count(number, noun, ending = "s") {
  return number ? `${number} ${noun}${number === 1 ? "" : ending}` : "";
}
