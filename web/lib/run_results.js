// Shows what a run found on the node itself. ComfyUI creates all nodes anew after an undo, when
// another workflow tab is opened, or when a run is opened from the queue: then the last result
// is shown again.

import { app } from "../../../scripts/app.js";
import { allNodes, callAfter } from "./nodes.js";

/**
 * @typedef {object} Display
 * @property {(output: Comfy.NodeOutput | undefined) => void} showOutput
 * @property {() => void} clear
 */

/** @type {WeakMap<Comfy.Node, Display>} */
const displays = new WeakMap();

/** @type {Set<WeakRef<Comfy.Node>>} the nodes created since a workflow was last loaded */
const createdNodes = new Set();

/**
 * Show the results of a node's runs.
 *
 * @template Result
 * @param {Comfy.Node} node one that has just been created
 * @param {string} key under which the server sends the result
 * @param {(result: Result) => void} show may be called again with the same result
 * @param {() => void} [clear] let go of all that was shown
 */
export function showRunResults(node, key, show, clear = () => {}) {
  /** @param {Comfy.NodeOutput | undefined} output */
  const showOutput = (output) => {
    if (output?.[key]) show(output[key][0]);
  };
  displays.set(node, { showOutput, clear });
  createdNodes.add(new WeakRef(node));
  callAfter(node, "onExecuted", showOutput);
  callAfter(node, "onRemoved", clear);
}

/**
 * @param {Comfy.Node} node
 * @param {Record<string, Comfy.NodeOutput>} outputs of all nodes that have run
 */
function showLastResult(node, outputs) {
  const { id, graph } = node;
  if (graph === null) return;
  const key = graph.isRootGraph ? `${id}` : `${graph.id}:${id}`;
  displays.get(node)?.showOutput(outputs[key]);
}

app.registerExtension({
  name: "dpt.run_results",

  // ComfyUI is about to create all nodes anew. It does not call `onRemoved` of those within
  // subgraphs, and may keep the old nodes in memory.
  beforeConfigureGraph() {
    for (const reference of createdNodes) {
      const node = reference.deref();
      if (node) displays.get(node)?.clear();
    }
    createdNodes.clear();
  },

  // Outputs may be known when a node is loaded, or arrive later.
  loadedGraphNode(node) {
    showLastResult(node, app.nodeOutputs);
  },
  onNodeOutputsUpdated(outputs) {
    for (const node of allNodes()) showLastResult(node, outputs);
  },
});
