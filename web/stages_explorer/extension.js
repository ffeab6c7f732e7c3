// The explorer on Visualize Stages: the last run's stages as pictures, and in each of them what is
// similar to the position under the mouse. Exploring does not run the workflow again.

import { app } from "../../../scripts/app.js";
import { addElementWidget } from "../lib/nodes.js";
import { showRunResults } from "../lib/run_results.js";
import { Explorer } from "./explorer.js";

const NODE = "DPTVisualizeStages";

/** @type {WeakMap<Comfy.Node, Explorer>} */
const explorers = new WeakMap();

app.registerExtension({
  name: "dpt.stages_explorer",

  nodeCreated(node) {
    if (node.comfyClass !== NODE) return;
    const explorer = new Explorer(node);
    explorers.set(node, explorer);
    addElementWidget(node, "dpt_stages", explorer.panel.root, () => explorer.minHeight, {
      selectOn: ["click"], // by default the focus selects too, and the pointer alone brings that
    });
    /** @param {Comfy.File} file */
    const show = (file) => explorer.setFile(file);
    showRunResults(node, "dpt_stages", show, () => explorer.clear());
  },

  loadedGraphNode(node) {
    explorers.get(node)?.restore();
  },
});
