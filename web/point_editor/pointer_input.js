// Mouse, pen and touch on the picture: click, drag, right-click and wheel.

import { hitTest } from "./hit_test.js";
import { addBox, makeBox, moveMark } from "./marks.js";
import { toPicture, viewScale } from "./viewport.js";

/** @import { PointEditor } from "./editor.js" */
/** @import { Box, MarkReference, Marks, Position } from "./marks.js" */
/** @import { Viewport } from "./viewport.js" */

/**
 * @typedef {object} Press
 * @property {Position} start in the picture
 * @property {{x: number, y: number}} screen
 * @property {boolean} isDrag
 *
 * @typedef {Press & {kind: "pan"}} Pan
 * @typedef {Press & {kind: "move", mark: MarkReference}} Move
 * @typedef {Press & {kind: "create", isAlternate: boolean, box: Box | null}} Create
 * @typedef {Pan | Move | Create} Gesture
 */

const HIT_DISTANCE = 9; // screen pixels within which the pointer meets a mark
const DRAG_DISTANCE = 4; // screen pixels after which a press is a drag
const MIDDLE_BUTTON = 1;

/** @type {Record<string, string>} */
const HANDLE_CURSORS = {
  nw: "nwse-resize",
  se: "nwse-resize",
  ne: "nesw-resize",
  sw: "nesw-resize",
};

export class PointerInput {
  /** @type {Gesture | null} */
  #gesture = null;
  /** @type {Marks | null} the marks as they are while one is dragged */
  draft = null;

  /** @param {PointEditor} editor */
  constructor(editor) {
    this.editor = editor;
    this.svg = editor.layout.svg;
    const { svg } = this;
    svg.addEventListener("pointerdown", (event) => this.#onDown(event));
    svg.addEventListener("pointermove", (event) => this.#onMove(event));
    svg.addEventListener("pointerup", (event) => this.#onUp(event));
    svg.addEventListener("pointercancel", () => this.cancel());
    svg.addEventListener("contextmenu", (event) => this.#onContextMenu(event));
    svg.addEventListener("wheel", (event) => this.#onWheel(event), { passive: false });
    svg.addEventListener("mousedown", (event) => {
      event.preventDefault(); // the browser would take the focus away again
      editor.focus();
    });
  }

  /** The box that is being drawn, if any. */
  get newBox() {
    return this.#gesture?.kind === "create" ? this.#gesture.box : null;
  }

  /** Forget the gesture that is going on. */
  reset() {
    this.#gesture = null;
    this.draft = null;
  }

  cancel() {
    if (this.#gesture === null && this.draft === null) return;
    this.reset();
    this.editor.draw();
  }

  /** @param {PointerEvent} event */
  #onDown(event) {
    const { editor } = this;
    const { viewport } = editor;
    // Without anything to pan, the middle button moves the graph.
    if (viewport === null || (event.button === MIDDLE_BUTTON && !viewport.isZoomed)) return;
    event.stopPropagation();
    if (event.button > MIDDLE_BUTTON) return;
    const start = this.#positionOf(event, viewport);
    const press = { start, screen: { x: event.clientX, y: event.clientY }, isDrag: false };
    if (event.button === MIDDLE_BUTTON) this.#gesture = { ...press, kind: "pan" };
    else {
      const mark = this.#markAt(start, viewport);
      const isAlternate = event.shiftKey && editor.format.alternatePoint !== null;
      editor.selected = mark;
      this.#gesture = mark
        ? { ...press, kind: "move", mark }
        : { ...press, kind: "create", isAlternate, box: null };
    }
    this.svg.setPointerCapture(event.pointerId);
    editor.draw();
  }

  /** @param {PointerEvent} event */
  #onMove(event) {
    const { viewport } = this.editor;
    if (viewport === null) return;
    const gesture = this.#gesture;
    const position = this.#positionOf(event, viewport);
    if (gesture === null) {
      this.#showCursor(this.#markAt(position, viewport));
      return;
    }
    event.stopPropagation();
    const { screen, start } = gesture;
    const distance = Math.hypot(event.clientX - screen.x, event.clientY - screen.y);
    gesture.isDrag ||= distance > DRAG_DISTANCE;
    if (!gesture.isDrag) return;
    const [dx, dy] = [position.x - start.x, position.y - start.y];
    const { format, history } = this.editor;
    if (gesture.kind === "pan") viewport.pan(-dx, -dy);
    else if (gesture.kind === "move")
      this.draft = moveMark(history.present, gesture.mark, dx, dy, viewport.size);
    else if (format.hasBoxes) gesture.box = makeBox(start, position, viewport.size);
    else gesture.start = position; // the point is set where the button is released
    this.editor.draw();
  }

  /** @param {PointerEvent} event */
  #onUp(event) {
    const { draft, editor } = this;
    const gesture = this.#gesture;
    if (gesture === null) return;
    event.stopPropagation();
    this.#gesture = null;
    if (gesture.kind === "move" && draft) editor.commit(draft);
    else if (gesture.kind === "create" && gesture.box) {
      const marks = addBox(editor.history.present, gesture.box);
      editor.selected = { kind: "box", index: marks.boxes.length - 1, handle: "edge" };
      editor.commit(marks);
    } else if (gesture.kind === "create" && this.#setsPoint(gesture))
      editor.addPoint(gesture.start, gesture.isAlternate);
    else editor.draw();
  }

  /** @param {Create} gesture */
  #setsPoint({ isDrag, start }) {
    const { format, viewport } = this.editor;
    return (!isDrag || !format.hasBoxes) && viewport !== null && viewport.isOnPicture(start);
  }

  /**
   * Delete the mark under the pointer, or set an alternate point.
   *
   * @param {MouseEvent} event
   */
  #onContextMenu(event) {
    event.preventDefault();
    event.stopPropagation();
    const { editor } = this;
    const { viewport } = editor;
    if (viewport === null) return;
    this.cancel();
    const position = this.#positionOf(event, viewport);
    editor.selected = this.#markAt(position, viewport);
    if (editor.selected) editor.deleteSelected();
    else if (viewport.isOnPicture(position)) editor.addPoint(position, true);
    editor.draw();
  }

  /**
   * Zoom, but only after a click into the editor: before, the wheel is the graph's.
   *
   * @param {WheelEvent} event
   */
  #onWheel(event) {
    const { editor } = this;
    if (editor.viewport === null || !editor.hasFocus) return;
    event.preventDefault();
    event.stopPropagation();
    editor.zoom(Math.exp(-event.deltaY / 400), this.#positionOf(event, editor.viewport));
  }

  /** @param {MouseEvent} event @param {Viewport} viewport */
  #positionOf(event, viewport) {
    const rect = this.svg.getBoundingClientRect();
    return toPicture(event.clientX, event.clientY, rect, viewport.view);
  }

  /** @param {Position} position @param {Viewport} viewport */
  #markAt(position, viewport) {
    // The size on the screen counts, which differs from the element's own when the graph is zoomed.
    const scale = viewScale(this.svg.getBoundingClientRect(), viewport.view);
    return hitTest(this.editor.history.present, position, HIT_DISTANCE / scale);
  }

  /** @param {MarkReference | null} mark */
  #showCursor(mark) {
    const handle = mark?.kind === "box" ? mark.handle : "";
    this.svg.style.cursor = mark ? (HANDLE_CURSORS[handle] ?? "move") : "crosshair";
  }
}
