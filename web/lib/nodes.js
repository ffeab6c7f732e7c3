// What ComfyUI's own API for nodes lacks.

import { app } from "../../../scripts/app.js";

// ComfyUI's classic renderer leaves this many pixels free on each side of an element, and takes
// them off the height that the element asks for.
const MARGIN = 10;

let widgetCount = 0;

/** @returns {Comfy.Node[]} all nodes, those within subgraphs too */
export function allNodes() {
  const graphs = [app.rootGraph, ...app.rootGraph.subgraphs.values()];
  return graphs.flatMap(({ nodes }) => nodes);
}

/**
 * Call a listener whenever ComfyUI has called a method of a node or a widget, which need not
 * have that method.
 *
 * @template {string} Name
 * @param {{[name in Name]?: (...values: any[]) => any}} target
 * @param {Name} name of the method
 * @param {(...values: any[]) => void} listener gets what the method got
 */
export function callAfter(target, name, listener) {
  const original = target[name];
  /** @this {any} @param {...any} values */
  target[name] = function (...values) {
    const result = original?.apply(this, values);
    listener(...values);
    return result;
  };
}

/**
 * Add an element to a node as a widget that is not saved with the workflow.
 *
 * @param {Comfy.Node} node
 * @param {string} name
 * @param {HTMLElement} element
 * @param {() => number} minHeight the least height of the element in pixels; 0 while it is hidden
 * @param {Comfy.DOMWidgetOptions} [options]
 */
export function addElementWidget(node, name, element, minHeight, options = {}) {
  // Every widget gets a type of its own: after an undo, the Vue renderer would otherwise go on
  // showing the element of the old node, whose widget has the same name and type.
  const type = `${name}_${++widgetCount}`;
  const widget = node.addDOMWidget(name, type, element, {
    serialize: false,
    hideOnZoom: false,
    margin: MARGIN,
    getMinHeight: () => (minHeight() ? minHeight() + 2 * MARGIN : 0),
    ...options,
  });
  widget.serialize = false;
  element.addEventListener("wheel", passWheelToGraph);
}

/**
 * In classic rendering, elements lie over the canvas and keep the wheel from it.
 *
 * @this {HTMLElement}
 * @param {WheelEvent} event
 */
function passWheelToGraph(event) {
  const isClassic = this.closest(".dom-widget") !== null;
  const isScrollable = this.scrollHeight > this.clientHeight;
  if (isClassic && !isScrollable) app.canvas.processMouseWheel(event);
}

/**
 * Make a node as low as its widgets allow, for when one of them has become lower.
 *
 * @param {Comfy.Node} node
 */
export function shrinkToWidgets(node) {
  node.setSize([node.size[0], node.computeSize()[1]]);
  node.setDirtyCanvas(true, true);
}
