// The elements of the editor, without any behaviour.

import { createElement, createSvgElement } from "../lib/dom.js";
import { STYLE } from "./style.js";

/** @typedef {ReturnType<typeof createLayout>} Layout */

/**
 * @param {string} title
 * @param {number} minHeight
 */
export function createLayout(title, minHeight) {
  const root = createElement("div", { className: "dpt-points" });
  root.style.minHeight = `${minHeight}px`;
  root.dataset.captureWheel = "true"; // makes the Vue renderer leave us the wheel, while in focus

  const toolbar = createElement("div", { className: "dpt-points-bar" });

  const svg = createSvgElement("svg", { preserveAspectRatio: "xMidYMid meet" });
  const picture = createSvgElement("image", { preserveAspectRatio: "none" });
  const masks = createSvgElement("image", {
    preserveAspectRatio: "none",
    "pointer-events": "none",
  });
  const marks = createSvgElement("g");
  svg.append(picture, masks, marks);
  const note = createElement("div", { className: "dpt-points-note" });
  const stage = createElement("div", { className: "dpt-points-stage" }, svg, note);

  const status = createElement("div", { className: "dpt-points-status" });
  status.setAttribute("role", "status");

  // The focus is on an input: ComfyUI leaves Delete, Ctrl+Z and the arrow keys to inputs, and
  // would otherwise delete the node or undo in the graph.
  const keyInput = createElement("input", { className: "dpt-points-keys", readOnly: true });
  keyInput.setAttribute("aria-label", title);

  root.append(createElement("style", { textContent: STYLE }), toolbar, stage, status, keyInput);
  return { root, toolbar, stage, svg, picture, masks, marks, note, status, keyInput };
}
