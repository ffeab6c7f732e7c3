// The editor on Segment (points and boxes) and on Align Depth (points of known distance): the user
// marks the picture itself. What it edits is a text widget of the node, which the API and other
// nodes can set as well.

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { allNodes } from "../lib/nodes.js";
import { attachEditor, refreshEditor } from "./node_editor.js";
import { DISTANCES, PROMPTS } from "./text_formats.js";

/** @import { EditorConfig } from "./editor.js" */
/** @import { NodeConfig } from "./node_editor.js" */

/** @type {Record<string, EditorConfig & NodeConfig>} */
const NODES = {
  DPTSegment: {
    format: PROMPTS,
    title: "Points and boxes on the picture",
    help: "click: object · shift-click: not this · drag: box",
    minHeight: 360,
    textWidget: "prompts",
    isTextShown: false,
    resultKey: "dpt_segment",
  },
  DPTAlignDepth: {
    format: DISTANCES,
    title: "Points of known distance on the picture",
    help: "click, then type the distance in metres · drag: move · right-click: delete",
    minHeight: 280,
    textWidget: "to.points", // only while the widget "to" is "points"
    isTextShown: true,
    resultKey: "dpt_align",
  },
};

api.addEventListener("graphChanged", () => {
  for (const node of allNodes()) refreshEditor(node);
});

app.registerExtension({
  name: "dpt.point_editor",

  nodeCreated(node) {
    const config = NODES[node.comfyClass];
    if (config) attachEditor(node, config);
  },
});
