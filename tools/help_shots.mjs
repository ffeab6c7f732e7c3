// Takes the help pages' pictures of nodes in the editor, from a running server.
// node tools/help_shots.mjs
//   ADDRESS FOLDER DEPTH_CHECKPOINT SAM_CHECKPOINT PHOTOGRAPH PICTURE PROMPTS
// Files are given by their names in the server's folders; PROMPTS is JSON for PICTURE.
// Environment: as for tests/browser/editor.mjs.

import { join } from "node:path";

import { inBrowser, openEditor, runWorkflow } from "../tests/browser/editor.mjs";

/** @typedef {Awaited<ReturnType<typeof openNodes>>} OpenNodes */
/** @typedef {OpenNodes["page"]} Page */
/** @typedef {ReturnType<OpenNodes["nodeOf"]>} Locator */

/**
 * @typedef {object} NodeSpec
 * @property {string} type
 * @property {[number, number]} pos
 * @property {Record<string, string | number>} [values] of its widgets
 * @property {Record<string, number>} [sources] for each input the index of the node before it
 */

const [address, folder, depthFile, samFile, photograph, picture, prompts] = process.argv.slice(2);

/**
 * Open the editor with some nodes, and run them.
 *
 * @param {Parameters<typeof openEditor>[0]} browser
 * @param {NodeSpec[]} nodes
 */
async function openNodes(browser, nodes) {
  const { page } = await openEditor(browser, address, { isVue: true, height: 1400 });
  await page.keyboard.press("Escape");
  await page.evaluate((specs) => {
    const { app, LiteGraph } = window;
    app.graph.clear();
    const added = specs.map(({ type, pos, values = {} }) => {
      const node = LiteGraph.createNode(type);
      node.pos = pos;
      app.graph.add(node);
      if (type === "DPTSegment") node.setSize([400, 560]);
      for (const [name, value] of Object.entries(values)) {
        const widget = node.widgets.find((candidate) => candidate.name === name);
        if (!widget) throw new Error(`${type} has no widget ${name}`);
        widget.value = value;
      }
      return node;
    });
    specs.forEach(({ sources = {} }, i) => {
      for (const [input, source] of Object.entries(sources))
        added[source].connect(0, added[i], added[i].findInputSlot(input));
    });
    Object.assign(app.canvas.ds, { scale: 1, offset: [0, 0] });
  }, nodes);
  await page.waitForTimeout(1500);
  await runWorkflow(page);
  /** @param {string} text on the node */
  const nodeOf = (text) => page.locator("[data-node-id]").filter({ hasText: text }).first();
  return { page, nodeOf };
}

/**
 * @param {Page} page
 * @param {Locator} node or a part of one
 * @param {string} type the name of the file
 */
async function takePicture(page, node, type) {
  await page.mouse.move(5, 500);
  await page.waitForTimeout(4000); // until the notifications are gone
  await node.screenshot({ path: join(folder, `${type}.jpg`), type: "jpeg", quality: 30 });
}

await inBrowser(async (browser) => {
  const stages = await openNodes(browser, [
    { type: "DPTLoadCheckpoint", pos: [900, 120], values: { checkpoint: depthFile } },
    { type: "LoadImage", pos: [900, 600], values: { image: photograph } },
    {
      type: "DPTVisualizeStages",
      pos: [80, 120],
      values: { resolution: 224 },
      sources: { model: 0, image: 1 },
    },
  ]);
  const explorer = stages.nodeOf("Visualize Stages");
  await explorer.getByRole("button", { name: "Explore" }).click();
  const stage = explorer.locator(".strip .frame").nth(1);
  await stage.waitFor();
  await stage.click({ position: { x: 40, y: 50 } });
  await takePicture(stages.page, explorer.locator(".dpt-stages"), "DPTVisualizeStages");
  await takePicture(stages.page, stages.nodeOf("Load DPT Checkpoint"), "DPTLoadCheckpoint");

  const masks = await openNodes(browser, [
    { type: "DPTLoadSAM", pos: [520, 120], values: { checkpoint: samFile } },
    { type: "LoadImage", pos: [520, 600], values: { image: picture } },
    { type: "DPTSegment", pos: [80, 120], values: { prompts }, sources: { sam: 0, image: 1 } },
    { type: "MaskPreview", pos: [820, 120], sources: { mask: 2 } },
  ]);
  await masks.page.waitForFunction(
    () => document.querySelectorAll(".dpt-points svg image[href]").length === 2,
  );
  await takePicture(masks.page, masks.nodeOf("Segment (points and boxes)"), "DPTSegment");
  await takePicture(masks.page, masks.nodeOf("Load SAM Checkpoint"), "DPTLoadSAM");
});
