import { ARROW_KEYS } from "../lib/arrow_keys.js";
import { ZOOM_STEP } from "./viewport.js";

/** @import { PointEditor } from "./editor.js" */

const LARGE_STEP = 10; // with Shift

/** @param {PointEditor} editor */
export function listenToKeyboard(editor) {
  editor.layout.keyInput.addEventListener("keydown", (event) => {
    if (!handleKey(editor, event)) return;
    event.preventDefault();
    event.stopPropagation();
  });
}

/**
 * @param {PointEditor} editor
 * @param {KeyboardEvent} event
 * @returns {boolean} whether the key was for the editor
 */
function handleKey(editor, { key, ctrlKey, metaKey, altKey, shiftKey }) {
  const letter = key.toLowerCase();
  if (ctrlKey || metaKey) {
    if (letter !== "z" && letter !== "y") return false;
    if (altKey) return true;
    if (letter === "z" && !shiftKey) editor.undo();
    else editor.redo();
    return true;
  }
  if (editor.viewport === null || altKey) return false;
  if (key in ARROW_KEYS) {
    const [columns, rows] = ARROW_KEYS[key];
    const step = shiftKey ? LARGE_STEP : 1;
    editor.nudge(columns * step, rows * step);
  } else if (key === "Delete" || key === "Backspace") editor.deleteSelected();
  else if (key === "Enter") editor.addPoint(editor.viewport.centre, shiftKey);
  else if (letter === "n") editor.selectNext(shiftKey ? -1 : 1);
  else if (editor.valueInput && editor.selected && /^[\d.]$/.test(key)) {
    editor.valueInput.replaceByTyping();
    return false; // the digit goes into the input
  } else if (key === "+" || key === "=") editor.zoom(ZOOM_STEP);
  else if (key === "-") editor.zoom(1 / ZOOM_STEP);
  else if (key === "0") editor.showWhole();
  else if (key === "Escape") editor.deselect();
  else return false;
  return true;
}
