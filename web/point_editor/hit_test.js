// Finds the mark at a position.

import { CORNERS, cornerPosition } from "./marks.js";

/** @import { Box, MarkReference, Marks, Position } from "./marks.js" */

/**
 * The mark at a position. Points win over corners of boxes, and these over edges; among those
 * the nearest wins, then the one that was added last. The inside of a box is free, so that points
 * can be set there.
 *
 * @param {Marks} marks
 * @param {Position} position
 * @param {number} tolerance how far away a mark may be, in pixels of the picture
 * @returns {MarkReference | null}
 */
export function hitTest({ points, boxes }, position, tolerance) {
  /** @type {{distance: number, order: number, reference: MarkReference}[]} */
  const candidates = [];
  points.forEach((point, index) => {
    const distance = distanceBetween({ x: point.x + 0.5, y: point.y + 0.5 }, position);
    candidates.push({ distance, order: 0, reference: { kind: "point", index } });
  });
  boxes.forEach((box, index) => {
    for (const handle of CORNERS) {
      const distance = distanceBetween(cornerPosition(box, handle), position);
      candidates.push({ distance, order: 1, reference: { kind: "box", index, handle } });
    }
    const distance = distanceToEdge(box, position);
    candidates.push({ distance, order: 2, reference: { kind: "box", index, handle: "edge" } });
  });
  const hits = candidates.filter(({ distance }) => distance <= tolerance);
  hits.sort(
    (a, b) =>
      a.order - b.order || a.distance - b.distance || b.reference.index - a.reference.index,
  );
  return hits[0]?.reference ?? null;
}

/** @param {Position} a @param {Position} b */
function distanceBetween(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}

/** @param {Box} box @param {Position} position */
function distanceToEdge(box, { x, y }) {
  const right = box.x + box.width;
  const bottom = box.y + box.height;
  const outside = Math.hypot(
    Math.max(box.x - x, 0, x - right),
    Math.max(box.y - y, 0, y - bottom),
  );
  return outside || Math.min(x - box.x, right - x, y - box.y, bottom - y);
}
