// Shows on the loaders what the loaded file turned out to be. The server sends the
// text with the node's result; a DOM widget is drawn alike in both of the frontend's renderers.

import { app } from "../../scripts/app.js";
import { addElement, keepResults } from "./our_nodes.js";

const BEFORE_FIRST_RUN = "Run the workflow to see what this file is.";

app.registerExtension({
  name: "dpt.load_checkpoint",

  nodeCreated(node) {
    if (!["DPTLoadCheckpoint", "DPTLoadSAM"].includes(node.comfyClass)) return;

    const text = document.createElement("div");
    text.textContent = BEFORE_FIRST_RUN;
    Object.assign(text.style, {
      boxSizing: "border-box",
      padding: "6px 8px",
      borderRadius: "6px",
      background: "var(--comfy-input-bg)",
      color: "var(--input-text)",
      font: "11px/1.45 sans-serif",
      whiteSpace: "pre-wrap",
      overflowWrap: "anywhere",
      overflow: "auto",
      userSelect: "text",
    });

    addElement(node, "dpt_summary", text, { getMinHeight: () => 120 });
    keepResults(node, "dpt_summary", (summary) => (text.textContent = summary));
  },
});
