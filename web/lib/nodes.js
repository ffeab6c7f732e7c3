// What ComfyUI's own API for nodes lacks.

import { app } from "../../../scripts/app.js";

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
 * @param {Comfy.DOMWidgetOptions} options
 */
export function addElementWidget(node, name, element, options) {
  // Every widget gets a type of its own: after an undo, the Vue renderer would otherwise go on
  // showing the element of the old node, whose widget has the same name and type.
  const type = `${name}_${++widgetCount}`;
  const widget = node.addDOMWidget(name, type, element, {
    serialize: false,
    hideOnZoom: false,
    ...options,
  });
  widget.serialize = false;
}
