// The input beside the selected point, for the number that it holds.

import { createElement, stopEvents } from "../lib/dom.js";
import { toScreen } from "./viewport.js";

/** @import { PointEditor } from "./editor.js" */
/** @import { Point, Size } from "./marks.js" */
/** @import { PointValue } from "./text_formats.js" */
/** @import { View } from "./viewport.js" */

const GAP = 14; // screen pixels between the point and the input

export class ValueInput {
  /**
   * @param {PointEditor} editor
   * @param {PointValue} pointValue
   */
  constructor(editor, { key, unit, question }) {
    this.key = key;
    this.input = createElement("input", {
      type: "number",
      min: "0",
      step: "any",
      placeholder: "?",
      title: question,
    });
    this.input.setAttribute("aria-label", question);
    this.box = createElement("label", { className: "dpt-points-number" }, this.input, unit);
    this.hide();
    stopEvents(this.box, ["pointerdown", "mousedown", "click", "wheel"]);

    let isTyping = false; // only the first key typed is a step of its own to undo
    this.input.addEventListener("focus", () => {
      isTyping = false;
    });
    this.input.addEventListener("input", () => {
      editor.setPointValue(key, this.#typedValue, isTyping);
      isTyping = true;
    });
    this.input.addEventListener("keydown", (event) => {
      event.stopPropagation(); // ComfyUI has shortcuts for letters and digits
      if (event.key === "Enter" || event.key === "Escape") editor.focus();
    });
  }

  focus() {
    this.input.focus({ preventScroll: true });
  }

  /** Let the key that is being pressed replace the number. */
  replaceByTyping() {
    this.focus();
    this.input.select();
  }

  hide() {
    this.box.style.display = "none";
  }

  /**
   * @param {Point} point
   * @param {Size} rect the size of the picture's area on the page
   * @param {View} view
   */
  showBeside(point, rect, view) {
    this.box.style.display = "";
    const value = point[this.key] ?? null;
    // Leave what is being typed: "2." is not how the number 2 is written.
    if (this.#typedValue !== value) this.input.value = value === null ? "" : `${value}`;
    const centre = { x: point.x + 0.5, y: point.y + 0.5 };
    const { x, y } = toScreen(centre, { left: 0, top: 0, ...rect }, view);
    const isOnTheRight = x > rect.width / 2;
    this.box.style.top = `${y}px`;
    this.box.style.left = isOnTheRight ? "auto" : `${x + GAP}px`;
    this.box.style.right = isOnTheRight ? `${rect.width - x + GAP}px` : "auto";
  }

  get #typedValue() {
    return this.input.value === "" ? null : Number(this.input.value);
  }
}
