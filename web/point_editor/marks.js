// Points and boxes on a picture, and how they are edited and found. Pure functions on plain
// values: each edit returns new marks.
//
// Coordinates are whole pixels of the picture: a point is the pixel that was clicked, a box
// covers `width` × `height` pixels from its upper left corner on. A position, such as the
// pointer's, may lie anywhere within a pixel.

/**
 * @typedef {{x: number, y: number}} Position
 * @typedef {{width: number, height: number}} Size
 * @typedef {Position & Size} Box
 *
 * @typedef {object} PointData what a point holds beside its coordinates
 * @property {number} [label] FOREGROUND or BACKGROUND, in prompts
 * @property {number | null} [metres] the distance, in known distances; null while it is open
 *
 * @typedef {Position & PointData} Point
 * @typedef {{points: Point[], boxes: Box[]}} Marks
 *
 * @typedef {"nw" | "ne" | "sw" | "se"} Corner
 * @typedef {{kind: "point", index: number}} PointReference
 * @typedef {{kind: "box", index: number, handle: Corner | "edge"}} BoxReference the handle is
 *   what one takes a box by: a corner resizes it, the edge moves the whole
 * @typedef {PointReference | BoxReference} MarkReference
 */

export const FOREGROUND = 1;
export const BACKGROUND = 0;

/** @type {Readonly<Marks>} */
export const NO_MARKS = Object.freeze({ points: [], boxes: [] });

/** @type {Corner[]} */
export const CORNERS = ["nw", "ne", "sw", "se"];

const OPPOSITE = /** @type {const} */ ({ nw: "se", ne: "sw", sw: "ne", se: "nw" });

// ---- editing

/**
 * @param {Marks} marks
 * @param {Position} position
 * @param {PointData} data
 * @param {Size} size of the picture
 * @returns {Marks}
 */
export function addPoint(marks, position, data, size) {
  return { ...marks, points: [...marks.points, { ...pixelAt(position, size), ...data }] };
}

/**
 * @param {Marks} marks
 * @param {number} index of the point
 * @param {PointData} data to change
 * @returns {Marks}
 */
export function changePoint(marks, index, data) {
  return { ...marks, points: replaceAt(marks.points, index, (point) => ({ ...point, ...data })) };
}

/**
 * @param {Position} from any corner
 * @param {Position} to the opposite one
 * @param {Size} size of the picture
 * @returns {Box | null} null where it would have no area
 */
export function makeBox(from, to, size) {
  const a = gridPointAt(from, size);
  const b = gridPointAt(to, size);
  const box = {
    x: Math.min(a.x, b.x),
    y: Math.min(a.y, b.y),
    width: Math.abs(a.x - b.x),
    height: Math.abs(a.y - b.y),
  };
  return box.width && box.height ? box : null;
}

/**
 * @param {Marks} marks
 * @param {Box} box
 * @returns {Marks}
 */
export function addBox(marks, box) {
  return { ...marks, boxes: [...marks.boxes, box] };
}

/**
 * Move a point or a box, or resize a box by a corner, within the picture.
 *
 * @param {Marks} marks
 * @param {MarkReference} reference
 * @param {number} dx
 * @param {number} dy
 * @param {Size} size of the picture
 * @returns {Marks}
 */
export function moveMark(marks, reference, dx, dy, size) {
  const { index } = reference;
  if (reference.kind === "point") {
    const points = replaceAt(marks.points, index, (point) => ({
      ...point,
      ...pixelAt({ x: point.x + 0.5 + dx, y: point.y + 0.5 + dy }, size),
    }));
    return { ...marks, points };
  }
  const { handle } = reference;
  const boxes = replaceAt(marks.boxes, index, (box) =>
    handle === "edge" ? shiftBox(box, dx, dy, size) : resizeBox(box, handle, dx, dy, size),
  );
  return { ...marks, boxes };
}

/**
 * @param {Marks} marks
 * @param {MarkReference} reference
 * @returns {Marks}
 */
export function removeMark(marks, reference) {
  const list = reference.kind === "point" ? "points" : "boxes";
  return { ...marks, [list]: marks[list].filter((_, i) => i !== reference.index) };
}

/**
 * @template T
 * @param {T[]} list
 * @param {number} index
 * @param {(entry: T) => T} change
 * @returns {T[]}
 */
function replaceAt(list, index, change) {
  return list.map((entry, i) => (i === index ? change(entry) : entry));
}

/** @param {Box} box @param {number} dx @param {number} dy @param {Size} size @returns {Box} */
function shiftBox(box, dx, dy, size) {
  return {
    ...box,
    x: clamp(Math.round(box.x + dx), 0, Math.max(0, size.width - box.width)),
    y: clamp(Math.round(box.y + dy), 0, Math.max(0, size.height - box.height)),
  };
}

/**
 * @param {Box} box
 * @param {Corner} corner
 * @param {number} dx
 * @param {number} dy
 * @param {Size} size
 * @returns {Box}
 */
function resizeBox(box, corner, dx, dy, size) {
  const fixed = cornerPosition(box, OPPOSITE[corner]);
  const moved = cornerPosition(box, corner);
  return { ...box, ...(makeBox(fixed, { x: moved.x + dx, y: moved.y + dy }, size) ?? box) };
}

/** @param {Position} position @param {Size} size @returns {Position} */
function pixelAt({ x, y }, size) {
  return {
    x: clamp(Math.floor(x), 0, size.width - 1),
    y: clamp(Math.floor(y), 0, size.height - 1),
  };
}

/**
 * The nearest point where pixels meet: a box goes along the edges of pixels.
 *
 * @param {Position} position
 * @param {Size} size
 * @returns {Position}
 */
function gridPointAt({ x, y }, size) {
  return { x: clamp(Math.round(x), 0, size.width), y: clamp(Math.round(y), 0, size.height) };
}

// ---- asking

/** @param {Marks} a @param {Marks} b */
export function areEqual(a, b) {
  return JSON.stringify([a.points, a.boxes]) === JSON.stringify([b.points, b.boxes]);
}

/** @param {Marks} marks */
export function isEmpty({ points, boxes }) {
  return !points.length && !boxes.length;
}

/**
 * @param {Box} box
 * @param {Corner} corner
 * @returns {Position}
 */
export function cornerPosition(box, corner) {
  return {
    x: corner.includes("w") ? box.x : box.x + box.width,
    y: corner.includes("n") ? box.y : box.y + box.height,
  };
}

/**
 * @param {Marks} marks
 * @param {{kind: MarkReference["kind"], index: number}} reference
 * @returns {Position} the middle of a mark
 */
export function centreOf({ points, boxes }, { kind, index }) {
  if (kind === "point") return { x: points[index].x + 0.5, y: points[index].y + 0.5 };
  const { x, y, width, height } = boxes[index];
  return { x: x + width / 2, y: y + height / 2 };
}

/**
 * The mark after (or before) another: first the points, then the boxes, then from the start.
 *
 * @param {Marks} marks
 * @param {MarkReference | null} reference
 * @param {1 | -1} step
 * @returns {MarkReference | null} null where nothing is marked
 */
export function nextMark({ points, boxes }, reference, step) {
  /** @type {MarkReference[]} */
  const all = [
    ...points.map((_, index) => /** @type {const} */ ({ kind: "point", index })),
    ...boxes.map((_, index) => /** @type {const} */ ({ kind: "box", index, handle: "edge" })),
  ];
  const current = all.findIndex(
    ({ kind, index }) => kind === reference?.kind && index === reference.index,
  );
  const next = current < 0 && step < 0 ? -1 : current + step;
  return all.at(next % all.length) ?? null;
}

/**
 * Count what the node would refuse: points outside the picture, and boxes wholly outside it.
 *
 * @param {Marks} marks
 * @param {Size} size of the picture
 */
export function countOutside({ points, boxes }, { width, height }) {
  /** @param {Point} p */
  const isInside = (p) => p.x >= 0 && p.y >= 0 && p.x <= width && p.y <= height;
  /** @param {Box} b */
  const overlaps = (b) => b.x < width && b.y < height && b.x + b.width > 0 && b.y + b.height > 0;
  return points.filter((p) => !isInside(p)).length + boxes.filter((b) => !overlaps(b)).length;
}

/** @param {number} value @param {number} low @param {number} high */
function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}
