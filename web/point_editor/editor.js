// The editor itself: what it shows and what can be done in it. The toolbar, the pointer and the
// keyboard call its methods; drawing.js puts it on the page.

import { draw } from "./drawing.js";
import { History } from "./history.js";
import { listenToKeyboard } from "./keyboard_input.js";
import { createLayout } from "./layout.js";
import {
  addPoint,
  centreOf,
  changePoint,
  moveMark,
  nextMark,
  NO_MARKS,
  removeMark,
} from "./marks.js";
import { PictureLayers } from "./picture_layers.js";
import { PointerInput } from "./pointer_input.js";
import { Toolbar } from "./toolbar.js";
import { ValueInput } from "./value_input.js";
import { sameSize, Viewport } from "./viewport.js";

/** @import { MarkReference, Marks, Position, Size } from "./marks.js" */
/** @import { PointValue, TextFormat } from "./text_formats.js" */

/**
 * @typedef {object} EditorConfig
 * @property {TextFormat} format of the text
 * @property {string} title
 * @property {string} help what to do, in one line
 * @property {number} minHeight in pixels
 */

export class PointEditor {
  history = new History();
  /** @type {MarkReference | null} */
  selected = null;
  /** @type {Viewport | null} null without a picture */
  viewport = null;
  /** @type {string | null} why the text could not be read */
  problem = null;
  /** Whether the marks come from elsewhere; they are not shown then. */
  isReadOnly = false;
  isImageConnected = false;
  /** The images in the batch; the first is shown. */
  imageCount = 1;

  /**
   * @param {EditorConfig} config
   * @param {(text: string) => void} onChange gets the text after every change by the user
   * @param {() => void} onPointerEnter
   */
  constructor(config, onChange, onPointerEnter) {
    this.config = config;
    this.format = config.format;
    this.onChange = onChange;
    this.layout = createLayout(config.title, config.minHeight);
    const { layout } = this;
    const onPicture = this.#onPicture.bind(this);
    this.pictures = new PictureLayers(layout.picture, layout.masks, onPicture);
    this.pointer = new PointerInput(this);
    this.toolbar = new Toolbar(this);
    const { pointValue } = this.format;
    this.valueInput = pointValue && new ValueInput(this, pointValue);
    if (this.valueInput) layout.stage.append(this.valueInput.box);
    listenToKeyboard(this);
    layout.root.addEventListener("pointerenter", onPointerEnter);
    this.resizeObserver = new ResizeObserver(() => this.draw());
    this.draw();
  }

  get root() {
    return this.layout.root;
  }

  /** @returns {Marks} as they are shown now, also while one is dragged */
  get visibleMarks() {
    return this.isReadOnly ? NO_MARKS : (this.pointer.draft ?? this.history.present);
  }

  get hasFocus() {
    return document.activeElement === this.layout.keyInput;
  }

  focus() {
    this.layout.keyInput.focus({ preventScroll: true });
  }

  draw() {
    draw(this);
  }

  // ---- called by the node

  /** Begin to follow the size on the page. */
  start() {
    this.resizeObserver.observe(this.layout.svg);
  }

  /** Let go of what takes memory: ComfyUI may keep the node itself, or put it back. */
  stop() {
    this.resizeObserver.disconnect();
    this.setPicture(null);
    this.setMasks(null);
  }

  /** Show a text's marks. This cannot be undone here. @param {string | undefined} text */
  setText(text) {
    this.problem = null;
    /** @type {Marks} */
    let marks = NO_MARKS;
    try {
      marks = this.format.parse(text);
    } catch (error) {
      this.problem = error instanceof Error ? error.message : `${error}`;
    }
    this.history = new History(marks);
    this.pointer.reset();
    this.selected = null;
    this.draw();
  }

  /** @param {boolean} isReadOnly */
  setReadOnly(isReadOnly) {
    if (isReadOnly === this.isReadOnly) return;
    this.pointer.cancel();
    this.isReadOnly = isReadOnly;
    this.selected = null;
    this.layout.keyInput.disabled = isReadOnly;
    this.layout.svg.style.pointerEvents = isReadOnly ? "none" : "";
    this.draw();
  }

  /**
   * @param {boolean} isConnected
   * @param {number} count of the images in the last run
   */
  setImageInput(isConnected, count) {
    if (isConnected === this.isImageConnected && count === this.imageCount) return;
    this.isImageConnected = isConnected;
    this.imageCount = count;
    this.draw();
  }

  /** @param {string | null} url @param {Size | null} [size] see PictureLayers */
  setPicture(url, size) {
    this.pictures.setPicture(url, size);
  }

  /** @param {string | null} url @param {Size | null} [size] see PictureLayers */
  setMasks(url, size) {
    this.pictures.setMasks(url, size);
    this.toolbar.update();
  }

  /** @param {Size | null} size of the new picture */
  #onPicture(size) {
    this.pointer.cancel();
    if (size === null) this.viewport = null;
    else if (!sameSize(size, this.viewport?.size)) this.viewport = new Viewport(size);
    this.draw();
  }

  // ---- changes to the marks

  /** @param {Marks} marks */
  commit(marks) {
    this.pointer.draft = null;
    if (this.history.commit(marks) || this.problem !== null) this.#notify();
    this.draw();
  }

  undo() {
    this.#goThroughHistory(() => this.history.undo());
  }

  redo() {
    this.#goThroughHistory(() => this.history.redo());
  }

  /** @param {() => boolean} step */
  #goThroughHistory(step) {
    this.pointer.cancel();
    this.selected = null;
    if (step()) this.#notify();
    this.draw();
  }

  clear() {
    this.selected = null;
    this.commit(NO_MARKS);
  }

  deleteSelected() {
    const { selected } = this;
    if (selected === null) return;
    this.selected = null;
    this.commit(removeMark(this.history.present, selected));
  }

  /** @param {Position} position @param {boolean} isAlternate by shift-click or right click */
  addPoint(position, isAlternate) {
    const data = isAlternate ? this.format.alternatePoint : this.format.newPoint;
    if (this.viewport === null || data === null) return;
    const marks = addPoint(this.history.present, position, data, this.viewport.size);
    this.selected = { kind: "point", index: marks.points.length - 1 };
    this.commit(marks);
    this.valueInput?.focus();
  }

  /**
   * Set the number of the selected point.
   *
   * @param {PointValue["key"]} key
   * @param {number | null} value
   * @param {boolean} isContinued whether this goes on with a number, as by its next digit
   */
  setPointValue(key, value, isContinued) {
    const { history, selected } = this;
    if (selected === null) return;
    // A point and its first number are one step to undo.
    const isFirst = history.present.points[selected.index][key] === null;
    const marks = changePoint(history.present, selected.index, { [key]: value });
    const isChanged = isContinued || isFirst ? history.amend(marks) : history.commit(marks);
    if (isChanged) this.#notify();
    this.draw();
  }

  /** Move the selected mark by pixels, or else the view. @param {number} dx @param {number} dy */
  nudge(dx, dy) {
    const { selected, viewport } = this;
    if (viewport === null) return;
    if (selected) {
      /** @type {MarkReference} */
      const whole = selected.kind === "box" ? { ...selected, handle: "edge" } : selected;
      this.commit(moveMark(this.history.present, whole, dx, dy, viewport.size));
    } else {
      const step = viewport.view.width / 40;
      viewport.pan(dx * step, dy * step);
      this.draw();
    }
  }

  #notify() {
    this.problem = null;
    this.onChange(this.format.serialize(this.history.present));
  }

  // ---- the selection and the view

  /** @param {1 | -1} step */
  selectNext(step) {
    this.pointer.cancel();
    this.selected = nextMark(this.history.present, this.selected, step);
    if (this.selected) this.viewport?.centreOn(centreOf(this.history.present, this.selected));
    this.draw();
  }

  deselect() {
    this.pointer.cancel();
    this.selected = null;
    this.draw();
  }

  /** @param {number} factor @param {Position} [position] that stays where it is */
  zoom(factor, position) {
    if (this.viewport === null) return;
    this.viewport.zoom(factor, position ?? this.viewport.centre);
    this.draw();
  }

  showWhole() {
    if (this.viewport === null) return;
    this.viewport.showWhole();
    this.draw();
  }
}
