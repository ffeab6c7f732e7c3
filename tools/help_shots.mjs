// Takes the help pages' pictures of nodes as they look in the editor, from a running server.
// node tools/help_shots.mjs ADDRESS FOLDER DEPTH_CHECKPOINT SAM_CHECKPOINT PHOTOGRAPH PICTURE POINT
// The files are by their names in the server's folders; POINT is prompts JSON for PICTURE.
// Environment: as for tests/browser/page.mjs.

import { join } from "node:path";

import { inBrowser, open, queue } from "../tests/browser/page.mjs";

const [address, folder, depthFile, samFile, photograph, picture, prompts] = process.argv.slice(2);

/** A new editor with nodes [type, place, widgets' values, inputs' sources], run. */
async function build(browser, nodes) {
  const { page } = await open(browser, address, { isVue: true, height: 1400 });
  await page.keyboard.press("Escape");
  await page.evaluate((list) => {
    const { app, LiteGraph } = window;
    app.graph.clear();
    const added = list.map(([type, place, values]) => {
      const node = LiteGraph.createNode(type);
      node.pos = place;
      app.graph.add(node);
      if (type === "DPTSegment") node.setSize([400, 560]);
      for (const [name, value] of Object.entries(values))
        node.widgets.find((widget) => widget.name === name).value = value;
      return node;
    });
    list.forEach(([, , , sources = {}], i) => {
      for (const [input, source] of Object.entries(sources))
        added[source].connect(0, added[i], added[i].findInputSlot(input));
    });
    Object.assign(app.canvas.ds, { scale: 1, offset: [0, 0] });
  }, nodes);
  await page.waitForTimeout(1500);
  await queue(page);
  return { page, nodeOf: (text) => page.locator("[data-node-id]").filter({ hasText: text }).first() };
}

/** The picture of one node, by the selector of something on it. */
async function shoot(page, node, type) {
  await page.mouse.move(5, 500);
  await page.waitForTimeout(4000); // until the messages are gone
  await node.screenshot({ path: join(folder, `${type}.jpg`), type: "jpeg", quality: 38 });
}

await inBrowser(async (browser) => {
  const stages = await build(browser, [
    ["DPTLoadCheckpoint", [900, 120], { checkpoint: depthFile }],
    ["LoadImage", [900, 600], { image: photograph }],
    ["DPTVisualizeStages", [80, 120], { resolution: 224 }, { model: 0, image: 1 }],
  ]);
  const explorer = stages.nodeOf("Visualize Stages");
  await explorer.getByRole("button", { name: "Explore" }).click();
  const map = explorer.locator(".strip .frame").nth(1);
  await map.waitFor();
  await map.click({ position: { x: 40, y: 50 } });
  await shoot(stages.page, explorer.locator(".dpt-stages"), "DPTVisualizeStages");
  await shoot(stages.page, stages.nodeOf("Load DPT Checkpoint"), "DPTLoadCheckpoint");

  const masks = await build(browser, [
    ["DPTLoadSAM", [520, 120], { checkpoint: samFile }],
    ["LoadImage", [520, 600], { image: picture }],
    ["DPTSegment", [80, 120], { prompts }, { sam: 0, image: 1 }],
    ["MaskPreview", [820, 120], {}, { mask: 2 }],
  ]);
  await masks.page.waitForFunction(
    () => document.querySelectorAll(".dpt-points svg image[href]").length === 2,
  );
  await shoot(masks.page, masks.nodeOf("Segment (points and boxes)"), "DPTSegment");
  await shoot(masks.page, masks.nodeOf("Load SAM Checkpoint"), "DPTLoadSAM");
});
