// Puts the editor on a node, and keeps it in step with the node's text widget and its picture.

import { app } from "../../../scripts/app.js";
import { addElementWidget, callAfter, shrinkToWidgets } from "../lib/nodes.js";
import { showRunResults } from "../lib/run_results.js";
import { PointEditor } from "./editor.js";
import { fileUrl, hasImage, upstreamPictureUrl } from "./picture_source.js";

/** @import { EditorConfig } from "./editor.js" */
/** @import { Size } from "./marks.js" */

/**
 * @typedef {object} NodeConfig
 * @property {string} textWidget the name of the widget that holds the text
 * @property {boolean} isTextShown whether the text widget is shown too
 * @property {string} resultKey under which the server sends the result of a run
 *
 * @typedef {object} RunResult
 * @property {Comfy.File} image
 * @property {Size} size of the image that the node got; the file may be smaller
 * @property {number} [count] of images that the node got; the editor shows the first
 * @property {Comfy.File} [masks]
 * @property {string | null} [upstream] the address of the picture upstream when the run began
 */

/** @type {WeakMap<Comfy.Node, () => void>} */
const refreshFunctions = new WeakMap();

/** Take over what has changed in the graph. @param {Comfy.Node} node with or without an editor */
export function refreshEditor(node) {
  refreshFunctions.get(node)?.();
}

/**
 * @param {Comfy.Node} node
 * @param {EditorConfig & NodeConfig} config
 */
export function attachEditor(node, config) {
  const findTextWidget = () => node.widgets.find(({ name }) => name === config.textWidget);
  if (!config.isTextShown) hide(findTextWidget());

  /** @type {RunResult | null} */
  let lastRun = null;
  /** @type {string | null | undefined} the address of the picture upstream when a run began */
  let upstreamAtStart;
  let shownWidget = findTextWidget();
  let shownText = shownWidget?.value;

  const editor = new PointEditor(config, setText, refresh);
  const minHeight = () => (findTextWidget() ? config.minHeight : 0);
  addElementWidget(node, "dpt_point_editor", editor.root, minHeight);

  /** @param {string} text */
  function setText(text) {
    const widget = findTextWidget();
    if (!widget) return;
    shownText = text;
    app.canvas.emitBeforeChange?.(); // so that the graph's own undo and autosave notice
    widget.value = text;
    widget.callback?.(text);
    app.canvas.emitAfterChange?.();
    node.setDirtyCanvas(true, true);
  }

  // The text, the connections or the chosen file may have changed elsewhere.
  function refresh() {
    if (!node.graph) return; // it was deleted meanwhile
    const widget = findTextWidget();
    // Not by the widget's `hidden`, which the Vue renderer does not always notice.
    editor.root.style.display = widget === undefined ? "none" : "";
    if (widget === undefined) return;
    if (widget !== shownWidget) {
      shownWidget = widget;
      // ComfyUI keeps the text for a widget that comes back, but leaves its box blank.
      widget.value = widget.value;
    }
    if (widget.value !== shownText) {
      shownText = widget.value;
      editor.setText(shownText);
    }
    editor.setReadOnly(
      node.inputs.some(({ name, link }) => name === config.textWidget && link != null),
    );
    const upstream = upstreamPictureUrl(node);
    if (upstream !== null) editor.setPicture(upstream);
    else if (lastRun !== null) editor.setPicture(fileUrl(lastRun.image), lastRun.size);
    else editor.setPicture(null);
    const current = lastRun?.upstream === upstream ? lastRun : null; // or of another picture
    editor.setImageInput(hasImage(node), current?.count ?? 1);
    editor.setMasks(current?.masks ? fileUrl(current.masks) : null, current?.size);
  }

  /** @param {RunResult} result */
  function show(result) {
    lastRun = result;
    // Stored with the result, which ComfyUI keeps for the node that replaces this one.
    if (!("upstream" in result))
      result.upstream = upstreamAtStart === undefined ? upstreamPictureUrl(node) : upstreamAtStart;
    refresh();
  }

  // A text widget named "choice.text" comes and goes with the value of the widget "choice".
  const choice = node.widgets.find(({ name }) => config.textWidget.startsWith(`${name}.`));
  const onChoice = () => {
    refresh();
    shrinkToWidgets(node);
  };
  if (choice) callAfter(choice, "callback", () => queueMicrotask(onChoice));
  callAfter(node, "onConfigure", () => {
    refresh();
    queueMicrotask(refresh); // by then the text widget is there
  });
  callAfter(node, "onConnectionsChange", () => queueMicrotask(refresh));
  callAfter(node, "onExecutionStart", () => {
    upstreamAtStart = upstreamPictureUrl(node);
  });
  callAfter(node, "onAdded", () => {
    editor.start();
    refresh();
  });
  showRunResults(node, config.resultKey, show, () => editor.stop());
  refreshFunctions.set(node, refresh);
  editor.setText(shownText);
}

/** @param {Comfy.Widget | undefined} widget */
function hide(widget) {
  if (!widget) return;
  widget.hidden = true; // in classic rendering
  widget.options.hidden = true; // in Vue
}
