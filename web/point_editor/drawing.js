// Brings the page up to date with the editor.

import { boxOutline, labelledPoint, pointWithText } from "./mark_shapes.js";
import { describe, findProblem, NO_IMAGE, NOT_RUN, READ_ONLY } from "./status.js";
import { viewScale } from "./viewport.js";

/** @import { PointEditor } from "./editor.js" */
/** @import { MarkReference, Point } from "./marks.js" */

/** @param {PointEditor} editor */
export function draw(editor) {
  const { layout, valueInput, viewport } = editor;
  editor.toolbar.update();
  drawStatus(editor);
  layout.note.textContent = noteOf(editor);
  layout.svg.style.visibility = viewport === null ? "hidden" : "";
  if (viewport === null) {
    valueInput?.hide();
    return;
  }
  const { view } = viewport;
  layout.svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);
  const rect = { width: layout.svg.clientWidth, height: layout.svg.clientHeight };
  if (!rect.width || !rect.height) return; // not on the page yet: drawn when it has a size
  layout.marks.replaceChildren(...markShapes(editor, 1 / viewScale(rect, view)));
  const { selected } = editor;
  const point = selected?.kind === "point" && editor.visibleMarks.points[selected.index];
  if (point) valueInput?.showBeside(point, rect, view);
  else valueInput?.hide();
}

/** @param {PointEditor} editor @param {number} pixel a pixel of the screen, in the picture's */
function markShapes(editor, pixel) {
  const { pointer, selected, visibleMarks } = editor;
  const { pointValue } = editor.format;
  /** @param {MarkReference["kind"]} kind @param {number} index */
  const isSelected = (kind, index) => selected?.kind === kind && selected.index === index;
  /** @param {Point} point @param {number} index */
  const pointShapes = (point, index) => {
    const isIt = isSelected("point", index);
    if (pointValue === null) return labelledPoint(point, isIt, pixel);
    const value = point[pointValue.key] ?? null;
    const text = value === null ? "?" : `${value} ${pointValue.unit}`;
    return pointWithText(point, text, isIt, pixel);
  };
  return [
    ...visibleMarks.boxes.flatMap((box, i) => boxOutline(box, isSelected("box", i), pixel)),
    ...(pointer.newBox ? boxOutline(pointer.newBox, true, pixel) : []),
    ...visibleMarks.points.flatMap(pointShapes),
  ];
}

/** @param {PointEditor} editor @returns {string} what is said over the picture */
function noteOf({ isImageConnected, isReadOnly, viewport }) {
  if (isReadOnly) return READ_ONLY;
  if (viewport !== null) return "";
  return isImageConnected ? NOT_RUN : NO_IMAGE;
}

/** @param {PointEditor} editor */
function drawStatus(editor) {
  const { config, format, imageCount, isReadOnly, layout, viewport, visibleMarks } = editor;
  const size = viewport?.size ?? null;
  const wrong = isReadOnly
    ? null
    : (editor.problem ?? findProblem(visibleMarks, size, format.pointValue));
  const text = wrong ?? (isReadOnly ? READ_ONLY : describe(visibleMarks, config.help, imageCount));
  const { status } = layout;
  if (status.textContent !== text) status.textContent = text; // every change is read aloud
  status.classList.toggle("dpt-points-wrong", wrong !== null);
}
