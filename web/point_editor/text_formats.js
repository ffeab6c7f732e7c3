// The text forms of marks: what the text widget of a node holds. Pure functions.

import { BACKGROUND, FOREGROUND, NO_MARKS } from "./marks.js";

/** @import { Box, Marks, Point, PointData } from "./marks.js" */

/**
 * @typedef {object} PointValue the number that the user types for each point
 * @property {"metres"} key of the number in a point
 * @property {string} unit
 * @property {string} question to the user
 *
 * @typedef {object} TextFormat
 * @property {(text: string | undefined) => Marks} parse throws an Error of one sentence
 * @property {(marks: Marks) => string} serialize
 * @property {PointData} newPoint what a click gives a point
 * @property {PointData | null} alternatePoint what a shift-click or right click gives it; null
 *   where these set no point
 * @property {boolean} hasBoxes
 * @property {PointValue | null} pointValue
 */

/** Prompts for Segment: JSON of points and boxes. */
export const PROMPTS = Object.freeze(
  /** @satisfies {TextFormat} */ ({
    parse: parsePrompts,
    serialize: serializePrompts,
    newPoint: { label: FOREGROUND },
    alternatePoint: { label: BACKGROUND },
    hasBoxes: true,
    pointValue: null,
  }),
);

/** Points of known distance for Align Depth: a line for each. */
export const DISTANCES = Object.freeze(
  /** @satisfies {TextFormat} */ ({
    parse: parseDistances,
    serialize: serializeDistances,
    newPoint: { metres: null },
    alternatePoint: null,
    hasBoxes: false,
    pointValue: { key: "metres", unit: "m", question: "How many metres away?" },
  }),
);

/** @param {string | undefined} text @returns {Marks} */
function parsePrompts(text) {
  if (!text?.trim()) return NO_MARKS;
  const value = parseJson(text, "The prompts are not valid JSON.");
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error('The prompts are not of the form {"points": […], "boxes": […]}.');
  const points = readList(value, "points", ["x", "y"]).map((point) => ({
    label: FOREGROUND,
    .../** @type {Point} */ (point),
  }));
  const boxes = /** @type {Box[]} */ (readList(value, "boxes", ["x", "y", "width", "height"]));
  if (points.some(({ label }) => label !== FOREGROUND && label !== BACKGROUND))
    throw new Error("A point's label is neither 1 (foreground) nor 0 (background).");
  return { points, boxes };
}

/** @param {Marks} marks */
function serializePrompts({ points, boxes }) {
  return JSON.stringify({ points, boxes });
}

/**
 * Read lines of x, y and the distance, with anything but a number between them, as the node does;
 * a distance that is not known yet is left out. Or a JSON list of {x, y, metres}.
 *
 * @param {string | undefined} text
 * @returns {Marks}
 */
function parseDistances(text) {
  const given = text ?? "";
  const isJson = given.trim().startsWith("[");
  return { points: isJson ? parseList(given) : parseLines(given), boxes: [] };
}

/** @param {string} text */
function parseList(text) {
  const points = parseJson(text, "The points are not valid JSON.");
  return readList({ points }, "points", ["x", "y"]).map((point) => ({
    metres: null,
    .../** @type {Point} */ (point),
  }));
}

/** @param {string} text @returns {Point[]} */
function parseLines(text) {
  const lines = text.split("\n").filter((line) => line.trim());
  return lines.map((line) => {
    const numbers = (line.match(/[-+]?\d+\.?\d*|\.\d+/g) ?? []).map(Number);
    if (numbers.length < 2 || numbers.length > 3)
      throw new Error(`The line "${line.trim()}" is not of the form x, y, metres.`);
    const [x, y, metres = null] = numbers;
    return { x, y, metres };
  });
}

/** @param {Marks} marks */
function serializeDistances({ points }) {
  return points.map(({ x, y, metres }) => `${x}, ${y}, ${metres ?? "?"}`).join("\n");
}

/**
 * @param {string} text
 * @param {string} message of the error if it is not JSON
 * @returns {unknown}
 */
function parseJson(text, message) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(message);
  }
}

/**
 * A list whose entries have numbers under certain keys; one that is left out is empty.
 *
 * @param {object} value
 * @param {"points" | "boxes"} name
 * @param {string[]} keys
 * @returns {unknown[]}
 */
function readList(value, name, keys) {
  const list = /** @type {Record<string, unknown>} */ (value)[name] ?? [];
  if (!Array.isArray(list)) throw new Error(`"${name}" is not a list.`);
  list.forEach((entry, i) => {
    if (keys.some((key) => !Number.isFinite(entry?.[key])))
      throw new Error(`Entry ${i + 1} of "${name}" needs a number for each of ${keys.join(", ")}.`);
  });
  return list;
}
