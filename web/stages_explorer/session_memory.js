// What is known of an explorer after the page has been reloaded. It is kept in the browser tab's
// own memory, so that a saved workflow has nothing of a run in it.

import { app } from "../../../scripts/app.js";

/**
 * @typedef {object} Memory
 * @property {Comfy.File} [file] that the last run wrote
 * @property {boolean} [isOpen]
 * @property {[number, number]} [openSize] of the node with the open explorer
 */

/** @param {Comfy.Node} node @returns {Memory} */
export function recall(node) {
  return JSON.parse(sessionStorage.getItem(keyOf(node)) ?? "{}");
}

/** @param {Comfy.Node} node @param {Memory} changes */
export function remember(node, changes) {
  sessionStorage.setItem(keyOf(node), JSON.stringify({ ...recall(node), ...changes }));
}

/** @param {Comfy.Node} node */
function keyOf(node) {
  return `dpt.stages:${app.graph?.id ?? ""}:${node.id}`;
}
