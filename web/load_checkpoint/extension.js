// Shows on the two loader nodes what the loaded file turned out to be. The server sends the text
// with the node's result.

import { app } from "../../../scripts/app.js";
import { createElement } from "../lib/dom.js";
import { addElementWidget } from "../lib/nodes.js";
import { showRunResults } from "../lib/run_results.js";

const NODES = ["DPTLoadCheckpoint", "DPTLoadSAM"];
const LINES = 8; // that most files take; more can be scrolled to
const LINE_HEIGHT = 16;
const PADDING = 6;
const HEIGHT = LINES * LINE_HEIGHT + 2 * PADDING;
const BEFORE_FIRST_RUN = "Run the workflow to see what is in this file.";

const STYLE = {
  contain: "size", // or in Vue rendering the node would grow with the text, over what is below
  minHeight: `${HEIGHT}px`,
  boxSizing: "border-box",
  padding: `${PADDING}px 8px`,
  borderRadius: "6px",
  background: "var(--comfy-input-bg)",
  color: "var(--input-text)",
  font: `11px/${LINE_HEIGHT}px sans-serif`,
  whiteSpace: "pre-wrap",
  overflowWrap: "anywhere",
  overflow: "auto",
  userSelect: "text",
};

app.registerExtension({
  name: "dpt.load_checkpoint",

  nodeCreated(node) {
    if (!NODES.includes(node.comfyClass)) return;
    const text = createElement("div", { textContent: BEFORE_FIRST_RUN });
    Object.assign(text.style, STYLE);
    addElementWidget(node, "dpt_summary", text, () => HEIGHT);
    /** @param {string} summary */
    const show = (summary) => {
      text.textContent = summary;
    };
    showRunResults(node, "dpt_summary", show);
  },
});
