// Checks the point editor of Align Depth.
// node align_points.mjs ADDRESS CHECKPOINT PICTURE SCREENSHOTS

import assert from "node:assert/strict";
import { join } from "node:path";

import {
  inBothRenderings,
  loadWorkflow,
  nodeBox,
  openEditor,
  reload,
  runWorkflow,
} from "./editor.mjs";
import { output } from "./workflow.mjs";

const [address, checkpoint, picture, screenshots] = process.argv.slice(2);

const WORKFLOW = {
  id: "6f0c0f0e-93b5-4d3a-a5f1-2f6f0a9b0003",
  version: 0.4,
  last_node_id: 6,
  last_link_id: 6,
  nodes: [
    {
      ...{ id: 1, type: "DPTLoadCheckpoint", pos: [20, 60], size: [330, 200], mode: 0, order: 0 },
      ...{ inputs: [], outputs: [output("model", "DPT_MODEL", [1])] },
      widgets_values: [checkpoint, "float32", "auto", 0],
    },
    {
      ...{ id: 2, type: "LoadImage", pos: [20, 420], size: [330, 340], mode: 0, order: 1 },
      ...{ inputs: [], outputs: [output("IMAGE", "IMAGE", [2, 3]), output("MASK", "MASK")] },
      widgets_values: [picture, "image"],
    },
    {
      ...{ id: 3, type: "DPTEstimateDepth", pos: [400, 60], size: [300, 260], mode: 0, order: 2 },
      inputs: [
        { name: "model", type: "DPT_MODEL", link: 1 },
        { name: "image", type: "IMAGE", link: 2 },
      ],
      outputs: [output("depth", "DPT_DEPTH", [4]), output("image", "IMAGE")],
    },
    {
      ...{ id: 4, type: "DPTAlignDepth", pos: [400, 400], size: [460, 540], mode: 0, order: 3 },
      inputs: [
        { name: "depth", type: "DPT_DEPTH", link: 4 },
        { name: "image", type: "IMAGE", link: 3 },
      ],
      outputs: [output("depth", "DPT_DEPTH", [5])],
      widgets_values: ["points", ""],
    },
    {
      ...{ id: 5, type: "DPTRenderDepth", pos: [900, 60], size: [300, 300], mode: 0, order: 4 },
      inputs: [{ name: "depth", type: "DPT_DEPTH", link: 5 }],
      outputs: [
        output("image", "IMAGE", [6]),
        output("mask", "MASK"),
        output("valid", "MASK"),
      ],
      widgets_values: [
        ...["true depth: far = white", "each image", "as estimated", "grey", false],
        ...[1, 0, 0],
      ],
    },
    {
      ...{ id: 6, type: "PreviewImage", pos: [900, 500], size: [400, 320], mode: 0, order: 5 },
      ...{ inputs: [{ name: "images", type: "IMAGE", link: 6 }], outputs: [] },
    },
  ],
  links: [
    [1, 1, 0, 3, 0, "DPT_MODEL"],
    [2, 2, 0, 3, 1, "IMAGE"],
    [3, 2, 0, 4, 1, "IMAGE"],
    [4, 3, 0, 4, 0, "DPT_DEPTH"],
    [5, 4, 0, 5, 0, "DPT_DEPTH"],
    [6, 5, 0, 6, 0, "IMAGE"],
  ],
};

await inBothRenderings(async (browser, isVue) => {
  const name = isVue ? "vue" : "classic";
  const { context, page, errors } = await openEditor(browser, address, { isVue });
  /** @param {string} what */
  const shot = (what) => page.screenshot({ path: join(screenshots, `${name}-${what}.png`) });
  const root = await loadWorkflow(page, WORKFLOW, ".dpt-points");
  const shown = root.locator("svg image").first();
  await page.waitForFunction(() => document.querySelector(".dpt-points svg image[href]"));
  await page.waitForTimeout(1500);

  // In classic rendering ComfyUI itself makes the node lower.
  if (isVue) assert.ok((await nodeBox(page, 4)).height >= 540, "the node keeps its saved size");

  const size = await shown.evaluate((image) => {
    const { width, height } = /** @type {SVGImageElement} */ (image);
    return [width.baseVal.value, height.baseVal.value];
  });
  /**
   * @param {number} x
   * @param {number} y
   * @returns {Promise<[number, number]>} where the middle of a pixel is on the screen
   */
  const at = async (x, y) => {
    const box = await shown.boundingBox();
    assert.ok(box);
    return [box.x + ((x + 0.5) / size[0]) * box.width, box.y + ((y + 0.5) / size[1]) * box.height];
  };
  /** @param {number} x @param {number} y @param {{button?: "right"}} options */
  const click = async (x, y, options = {}) => page.mouse.click(...(await at(x, y)), options);
  /** @returns {Promise<string>} */
  const text = () => page.evaluate(() => window.findWidget("DPTAlignDepth", "to.points").value);
  const points = async () => (await text()).split("\n").map((line) => line.split(", "));
  const status = async () => (await root.locator(".dpt-points-status").textContent()) ?? "";
  const input = root.locator(".dpt-points-number input");

  // A click, and what is typed then, is a point of known distance.
  await click(60, 50);
  assert.match(await status(), /1 point without a distance/);
  await page.keyboard.type("2.5");
  await page.keyboard.press("Enter");
  await click(500, 300);
  await page.keyboard.type("7");
  await shot("1-typing");
  await page.keyboard.press("Enter");
  assert.match(await status(), /^2 points — click/);
  let [first, second] = await points();
  assert.ok(Math.abs(Number(first[0]) - 60) <= 2, `${first}`);
  assert.ok(Math.abs(Number(first[1]) - 50) <= 2, `${first}`);
  assert.deepEqual([first[2], second[2]], ["2.5", "7"]);

  // Correct a distance: one step to undo. Digits go where they belong.
  await click(60, 50);
  await page.keyboard.type("3.25");
  await page.keyboard.press("Escape");
  assert.equal((await points())[0][2], "3.25");
  await page.keyboard.press("Control+z");
  assert.equal((await points())[0][2], "2.5");
  await page.keyboard.press("Control+Shift+z");
  assert.equal((await points())[0][2], "3.25");

  // Move one, set a third without a distance, delete it again.
  await page.mouse.move(...(await at(500, 300)));
  await page.mouse.down();
  await page.mouse.move(...(await at(450, 280)));
  await page.mouse.move(...(await at(420, 260)));
  await page.mouse.up();
  [, second] = await points();
  assert.ok(Math.abs(Number(second[0]) - 420) <= 2 && second[2] === "7", `${second}`);
  await click(300, 100, { button: "right" });
  assert.equal((await points()).length, 2, "a right click on nothing sets nothing");
  await click(300, 100);
  assert.equal((await points())[2][2], "?");
  await input.press("Escape");
  await click(300, 100, { button: "right" });
  assert.equal((await points()).length, 2);
  assert.equal(await page.evaluate(() => window.app.graph.nodes.length), 6);
  await shot("2-points");

  // With another choice there is no editor, and no room is left for one; back again, the text is
  // there and can be changed too.
  /** @param {string} value */
  const choose = (value) =>
    page.evaluate((to) => {
      const widget = window.findWidget("DPTAlignDepth", "to");
      widget.value = to;
      widget.callback?.(to);
    }, value);
  const before = await text();
  const shownText = () =>
    page.evaluate(() => {
      const inVue = document.querySelector("[data-node-id='4'] textarea");
      const textArea = inVue ?? window.findWidget("DPTAlignDepth", "to.points").element;
      return /** @type {HTMLTextAreaElement} */ (textArea).value;
    });
  assert.equal(await shownText(), before);
  for (const other of ["masked surface", "other depth"]) {
    await choose(other);
    await page.waitForTimeout(500);
    assert.equal(await root.isVisible(), false);
    const { height } = await nodeBox(page, 4);
    assert.ok(height < 300, `${other}: the node is ${height} pixels high`);
    await shot(`3-${other.split(" ")[0]}`);
    await choose("points");
    await page.waitForTimeout(500);
    assert.equal(await root.isVisible(), true);
    assert.equal(await text(), before);
    assert.equal(await shownText(), before);
  }
  await page.evaluate((value) => {
    window.findWidget("DPTAlignDepth", "to.points").value = value;
  }, before);
  await page.mouse.move(5, 500);
  await page.mouse.move(...(await at(200, 200)));
  await page.waitForTimeout(200);
  assert.match(await status(), /^2 points/);
  await click(60, 50);
  await page.keyboard.press("Shift+ArrowRight");
  const moved = await text();
  assert.equal(moved.split(", ")[0], String(Number(before.split(", ")[0]) + 10));

  // Without an image, the editor says what is missing.
  const linkImage = (isLinked = true) =>
    page.evaluate((toLink) => {
      const node = window.findNode("DPTAlignDepth");
      if (toLink) window.findNode("LoadImage").connect(0, node, node.findInputSlot("image"));
      else node.disconnectInput(node.findInputSlot("image"));
    }, isLinked);
  await linkImage(false);
  await root.getByText("Connect an image to the image input").waitFor();
  await linkImage();
  await root.locator("svg circle").first().waitFor();

  // Run: the random weights may take near for far, which the node reports.
  const result = await runWorkflow(page).then(
    (outputs) => outputs[4]?.dpt_align,
    (error) => error.message,
  );
  if (typeof result === "string") assert.match(result, /contradicts the depth/);
  else assert.equal(result[0].size.width, size[0]);
  await page.waitForTimeout(500);
  await shot("4-run");

  await reload(page);
  await page.waitForFunction(() => document.querySelector(".dpt-points svg circle"), null, {
    timeout: 30000,
  });
  assert.equal(await text(), moved);
  assert.deepEqual(errors.filter((error) => !/contradicts the depth/.test(error)), []);
  await context.close();
  return { name, size };
});
