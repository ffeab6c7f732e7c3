// Opens a workflow made with other packs' preprocessors in a server that does not have them, and
// accepts the replacements that the editor offers.
// node replacements.mjs ADDRESS PICTURE CHECKPOINT SCREENSHOTS
// Prints for each rendering: the values of the new nodes, and the files of their pictures.

import assert from "node:assert/strict";
import { join } from "node:path";

import { inBothRenderings, loadWorkflow, openEditor, runWorkflow } from "./editor.mjs";
import { input, output } from "./workflow.mjs";

const [address, picture, checkpoint, screenshots] = process.argv.slice(2);

/** @param {number} id @param {string} type @param {unknown[]} widgets_values */
const preprocessor = (id, type, widgets_values) => ({
  ...{ id, type, pos: [420, 260 * id - 400], size: [300, 160], mode: 0, order: id },
  widgets_values,
  inputs: [input("image", "IMAGE", id)],
  outputs: [output("IMAGE", "IMAGE", [10 * id])],
});
/** @param {number} id @param {number} link */
const preview = (id, link) => ({
  ...{ id, type: "PreviewImage", mode: 0, order: id },
  ...{ pos: [780, 26 * link - 400], size: [260, 220] },
  inputs: [input("images", "IMAGE", link)],
  outputs: [],
});
const WORKFLOW = {
  id: "6f0c0f0e-93b5-4d3a-a5f1-2f6f0a9b0004",
  version: 0.4,
  last_node_id: 7,
  last_link_id: 40,
  nodes: [
    {
      ...{ id: 1, type: "LoadImage", pos: [40, 120], size: [300, 320], mode: 0, order: 0 },
      inputs: [],
      outputs: [output("IMAGE", "IMAGE", [2, 3]), output("MASK", "MASK")],
      widgets_values: [picture, "image"],
    },
    preprocessor(2, "DepthAnythingV2Preprocessor", [checkpoint, 128]),
    preprocessor(3, "MiDaS-DepthMapPreprocessor", [6.28, 0.1, 192]),
    preview(5, 20),
    preview(6, 30),
  ],
  links: [
    [2, 1, 0, 2, 0, "IMAGE"],
    [3, 1, 0, 3, 0, "IMAGE"],
    [20, 2, 0, 5, 0, "IMAGE"],
    [30, 3, 0, 6, 0, "IMAGE"],
  ],
};

await inBothRenderings(async (browser, isVue) => {
  const name = isVue ? "vue" : "classic";
  const { context, page, errors } = await openEditor(browser, address, { isVue });
  const offer = await loadWorkflow(page, WORKFLOW, "[data-testid=error-overlay-see-errors]");
  await offer.click();
  await page.waitForTimeout(500);
  await page.screenshot({ path: join(screenshots, `${name}-1-offered.png`) });
  await page.getByRole("button", { name: "Replace All" }).last().click();
  const types = () => page.evaluate(() => window.app.graph.nodes.map(({ type }) => type));
  await page.waitForFunction(
    () => !window.app.graph.nodes.some(({ type }) => /Preproc/.test(type)),
  );
  assert.deepEqual(
    (await types()).sort(),
    ["DPTDepthMap", "DPTDepthMap", "LoadImage", "PreviewImage", "PreviewImage"],
  );
  const outputs = await runWorkflow(page);
  await page.waitForTimeout(1000);
  await page.screenshot({ path: join(screenshots, `${name}-2-replaced.png`) });
  assert.deepEqual(errors, []);
  const values = await page.evaluate(() =>
    window.app.graph.nodes
      .filter(({ type }) => type === "DPTDepthMap")
      .map(({ widgets }) => widgets.map(({ value }) => value)),
  );
  await context.close();
  return { name, values, pictures: [5, 6].map((id) => outputs[id].images[0].filename) };
});
