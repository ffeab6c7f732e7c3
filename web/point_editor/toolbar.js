import { createElement } from "../lib/dom.js";
import { isEmpty } from "./marks.js";
import { ZOOM_STEP } from "./viewport.js";

/** @import { PointEditor } from "./editor.js" */

export class Toolbar {
  /** @param {PointEditor} editor */
  constructor(editor) {
    this.editor = editor;
    const { pictures, format, layout } = editor;
    const deleteTitle = "Delete the selected mark (Delete); n selects the next";
    this.undo = createButton("↶", "Undo (Ctrl+Z)", () => editor.undo());
    this.redo = createButton("↷", "Redo (Ctrl+Shift+Z)", () => editor.redo());
    this.delete = createButton("✕", deleteTitle, () => editor.deleteSelected());
    this.clear = createButton("clear", "Delete all marks", () => editor.clear());
    this.masks = createButton("masks", "Show the masks of the last run", () => {
      pictures.toggleMasks();
      this.update();
    });
    this.zoom = [
      createButton("−", "Zoom out (-, or the wheel)", () => editor.zoom(1 / ZOOM_STEP)),
      createButton("fit", "Show the whole picture (0)", () => editor.showWhole()),
      createButton("+", "Zoom in (+, or the wheel)", () => editor.zoom(ZOOM_STEP)),
    ];
    const bar = layout.toolbar;
    bar.append(this.undo, this.redo, this.delete, this.clear);
    bar.append(createElement("span", { className: "dpt-points-gap" }));
    bar.append(...(format.hasBoxes ? [this.masks] : []), ...this.zoom);
    bar.addEventListener("pointerdown", (event) => event.stopPropagation());
    bar.addEventListener("click", (event) => {
      const isFromKeyboard = event.detail === 0;
      const isDisabled = /** @type {HTMLButtonElement} */ (event.target).disabled;
      if (!isFromKeyboard || isDisabled) editor.focus();
    });
  }

  /** Enable the buttons that would do something. */
  update() {
    const { history, isReadOnly, pictures, problem, selected, viewport } = this.editor;
    const isClear = isEmpty(this.editor.visibleMarks) && problem === null;
    this.undo.disabled = isReadOnly || !history.past.length;
    this.redo.disabled = isReadOnly || !history.future.length;
    this.delete.disabled = selected === null;
    this.clear.disabled = isReadOnly || isClear;
    this.masks.disabled = !pictures.hasMasks;
    this.masks.setAttribute("aria-pressed", `${!pictures.areMasksHidden}`);
    for (const button of this.zoom) button.disabled = viewport === null;
  }
}

/** @param {string} text @param {string} title @param {() => void} onClick */
function createButton(text, title, onClick) {
  const button = createElement("button", { type: "button", textContent: text, title });
  button.setAttribute("aria-label", title);
  button.addEventListener("click", onClick);
  return button;
}
