// What is alike in all that we put on nodes: an element, and results of runs in it. These are
// shown when they come, and again when the host makes the nodes anew, after undo, for another tab
// or for a run from the queue; they are let go of when a node goes.

import { app } from "../../scripts/app.js";

/** Where an arrow key goes: columns and rows. */
export const ARROWS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

const keepers = new WeakMap(); // what shows and drops a node's result, by the node
const made = new Set(); // weak references to the nodes since a workflow was loaded
let elements = 0;

/** Call `then` after a method that the host looks for on a node or on a widget. */
export function after(target, name, then) {
  const before = target[name];
  target[name] = function (...given) {
    const result = before?.apply(this, given);
    then(...given);
    return result;
  };
}

/** Put an element on a node as a widget of its own. */
export function addElement(node, name, element, options) {
  // No two of one type: where name and type are alike, the Vue renderer goes on showing the
  // element of the node that was there before undo.
  const type = `${name}_${++elements}`;
  const shown = { serialize: false, hideOnZoom: false, ...options };
  node.addDOMWidget(name, type, element, shown).serialize = false;
}

/**
 * @param node a new node
 * @param {string} key of the node's own in the results of runs
 * @param {(result) => void} show what is there; it may be called again with the same
 * @param {() => void} drop all that was shown
 */
export function keepResults(node, key, show, drop = () => {}) {
  const showOf = (output) => {
    if (output?.[key]) show(output[key][0]);
  };
  keepers.set(node, { showOf, drop });
  made.add(new WeakRef(node));
  after(node, "onExecuted", showOf);
  after(node, "onRemoved", drop);
}

/** All nodes, those within subgraphs too. */
export function allNodes() {
  const graphs = [app.rootGraph, ...app.rootGraph.subgraphs.values()];
  return graphs.flatMap(({ nodes }) => nodes);
}

function showAgain(node, outputs) {
  const { id, graph } = node;
  keepers.get(node)?.showOf(outputs[graph.isRootGraph ? id : `${graph.id}:${id}`]);
}

app.registerExtension({
  name: "dpt.our_nodes",

  // The host makes all nodes anew without telling those in subgraphs, and may keep them.
  beforeConfigureGraph() {
    for (const node of made) keepers.get(node.deref())?.drop();
    made.clear();
  },

  // The results may be there still, or come later.
  loadedGraphNode(node) {
    showAgain(node, app.nodeOutputs);
  },
  onNodeOutputsUpdated(outputs) {
    for (const node of allNodes()) showAgain(node, outputs);
  },
});
