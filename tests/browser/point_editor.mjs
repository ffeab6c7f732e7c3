// Checks the point editor of Segment.
// node point_editor.mjs ADDRESS CHECKPOINT PICTURE SCREENSHOTS

import assert from "node:assert/strict";
import { join } from "node:path";

import {
  changeAndUndo,
  inBothRenderings,
  loaderText,
  newLoaderText,
  loadWorkflow,
  openEditor,
  reload,
  runWorkflow,
  toOtherTabAndBack,
} from "./editor.mjs";
import { output } from "./workflow.mjs";

/** @import { Browser, Page } from "playwright-core" */
/** @import { Marks } from "../../web/point_editor/marks.js" */

const [address, checkpoint, pictureName, screenshots] = process.argv.slice(2);

const WORKFLOW = {
  id: "6f0c0f0e-93b5-4d3a-a5f1-2f6f0a9b0002",
  version: 0.4,
  last_node_id: 5,
  last_link_id: 5,
  nodes: [
    {
      ...{ id: 1, type: "DPTLoadSAM", pos: [20, 60], size: [330, 260], mode: 0, order: 0 },
      ...{ inputs: [], outputs: [output("sam", "DPT_SAM", [1])] },
      widgets_values: [checkpoint, "float32"],
    },
    {
      ...{ id: 2, type: "LoadImage", pos: [20, 400], size: [330, 340], mode: 0, order: 1 },
      ...{ inputs: [], outputs: [output("IMAGE", "IMAGE", [2]), output("MASK", "MASK")] },
      widgets_values: [pictureName, "image"],
    },
    {
      ...{ id: 3, type: "DPTSegment", pos: [400, 60], size: [520, 640], mode: 0, order: 2 },
      inputs: [
        { name: "sam", type: "DPT_SAM", link: 1 },
        { name: "image", type: "IMAGE", link: 2 },
      ],
      outputs: [
        output("masks", "MASK", [4]),
        output("iou", "FLOAT"),
        output("preview", "IMAGE", [3]),
      ],
    },
    {
      ...{ id: 4, type: "PreviewImage", pos: [970, 60], size: [400, 320], mode: 0, order: 3 },
      ...{ inputs: [{ name: "images", type: "IMAGE", link: 3 }], outputs: [] },
    },
    {
      ...{ id: 5, type: "MaskPreview", pos: [970, 460], size: [400, 320], mode: 0, order: 4 },
      ...{ inputs: [{ name: "mask", type: "MASK", link: 4 }], outputs: [] },
    },
  ],
  links: [
    [1, 1, 0, 3, 0, "DPT_SAM"],
    [2, 2, 0, 3, 1, "IMAGE"],
    [3, 3, 2, 4, 0, "IMAGE"],
    [4, 3, 0, 5, 0, "MASK"],
  ],
};

/**
 * From an empty page to a deleted node.
 *
 * @param {Browser} browser
 * @param {boolean} isVue
 */
async function check(browser, isVue) {
  const name = isVue ? "vue" : "classic";
  const { context, page, errors } = await openEditor(browser, address, { isVue });
  /** @param {string} what */
  const shot = (what) => page.screenshot({ path: join(screenshots, `${name}-${what}.png`) });
  const root = await loadWorkflow(page, WORKFLOW, ".dpt-points");
  const picture = root.locator("svg image").first();
  await page.waitForFunction(() => document.querySelector(".dpt-points svg image[href]"));
  await page.waitForTimeout(1500);

  // The picture of Load Image is there before anything has run, in its own aspect.
  const size = await picture.evaluate((image) => {
    const { width, height } = /** @type {SVGImageElement} */ (image);
    return [width.baseVal.value, height.baseVal.value];
  });
  const shown = await picture.boundingBox();
  assert.ok(shown);
  assert.ok(Math.abs(shown.width / shown.height - size[0] / size[1]) < 0.01);
  /**
   * @param {number} x
   * @param {number} y
   * @returns {Promise<[number, number]>} where the middle of a pixel is on the screen
   */
  const at = async (x, y) => {
    const box = await picture.boundingBox();
    assert.ok(box);
    return [box.x + ((x + 0.5) / size[0]) * box.width, box.y + ((y + 0.5) / size[1]) * box.height];
  };
  /** @param {number} x @param {number} y @param {{button?: "right"}} options */
  const click = async (x, y, options = {}) => page.mouse.click(...(await at(x, y)), options);
  /** @param {[number, number]} from @param {[number, number]} to */
  const drag = async (from, to) => {
    await page.mouse.move(...(await at(...from)));
    await page.mouse.down();
    await page.mouse.move(...(await at((from[0] + to[0]) / 2, (from[1] + to[1]) / 2)));
    await page.mouse.move(...(await at(...to)));
    await page.mouse.up();
  };
  /** @returns {Promise<Marks>} what is in the text widget */
  const state = async () =>
    JSON.parse(await page.evaluate(() => window.findWidget("DPTSegment", "prompts").value));
  const status = async () => (await root.locator(".dpt-points-status").textContent()) ?? "";
  // A pixel of the screen is nearly two of the picture.
  /** @param {number[]} found @param {number[]} wanted */
  const near = (found, wanted, slack = 2.5) => {
    for (const [i, value] of wanted.entries())
      assert.ok(Math.abs(found[i] - value) <= slack, `${found}, ${wanted}`);
  };
  const hidden = await page.evaluate(() =>
    [.../** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("input, textarea"))]
      .filter((element) => /"points"/.test(element.value)).length,
  );
  assert.equal(hidden, 0, "the text is not shown");

  // Points and boxes.
  await click(150, 100);
  await page.keyboard.down("Shift");
  await click(500, 350);
  await page.keyboard.up("Shift");
  await click(20, 20, { button: "right" });
  await drag([250, 60], [450, 300]);
  let now = await state();
  assert.deepEqual(now.points.map(({ label }) => label), [1, 0, 0]);
  now.points.forEach((p, i) => near([p.x, p.y], [[150, 100], [500, 350], [20, 20]][i]));
  near(Object.values(now.boxes[0]), [250, 60, 200, 240], 2.5);
  assert.match(await status(), /3 points, 1 box/);
  await shot("1-marked");

  // Move, nudge, delete, undo and redo; none of it reaches the graph below.
  await drag([150, 100], [300, 180]);
  now = await state();
  near([now.points[0].x, now.points[0].y], [300, 180]);
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Shift+ArrowDown");
  const nudged = (await state()).points[0];
  assert.deepEqual([nudged.x - now.points[0].x, nudged.y - now.points[0].y], [1, 10]);
  await page.keyboard.press("Control+z");
  await page.keyboard.press("Control+z");
  await page.waitForTimeout(200);
  assert.deepEqual((await state()).points[0], now.points[0]);
  assert.equal(await root.count(), 1);
  await drag([250, 60], [200, 40]); // a corner
  near(Object.values((await state()).boxes[0]), [200, 40, 250, 260], 3);
  await drag([200, 150], [220, 170]); // an edge moves the whole
  near(Object.values((await state()).boxes[0]), [220, 60, 250, 260], 3);
  await page.keyboard.press("Delete");
  assert.equal((await state()).boxes.length, 0);
  assert.equal(await page.evaluate(() => window.app.graph.nodes.length), 5);
  await page.keyboard.press("Control+z");
  assert.equal((await state()).boxes.length, 1);
  await page.keyboard.press("Control+Shift+z");
  assert.equal((await state()).boxes.length, 0);
  await root.getByRole("button", { name: "Undo" }).click();
  assert.equal((await state()).boxes.length, 1);
  await click(20, 20, { button: "right" }); // on a point: it goes
  assert.equal((await state()).points.length, 2);

  // Zoom keeps the aspect and meets the same pixels.
  const viewBox = async () => (await root.locator("svg").getAttribute("viewBox")) ?? "";
  const whole = await viewBox();
  await page.mouse.move(...(await at(300, 200)));
  await page.mouse.wheel(0, -400);
  await page.waitForTimeout(200);
  const [, , width, height] = (await viewBox()).split(" ").map(Number);
  assert.ok(width < size[0] * 0.6);
  assert.ok(Math.abs(width / height - size[0] / size[1]) < 1e-6);
  await click(320, 210);
  const added = (await state()).points.at(-1);
  assert.ok(added);
  near([added.x, added.y], [320, 210], 1);
  await shot("2-zoomed");
  await page.keyboard.press("Delete");
  await page.keyboard.press("0");
  assert.equal(await viewBox(), whole);

  // Keys alone: to the next mark and to the one before the first, in the middle of what is shown.
  const first = await state();
  await page.keyboard.press("+");
  await page.keyboard.press("n");
  const [left, top, wide, high] = (await viewBox()).split(" ").map(Number);
  const [point] = first.points;
  near([left + wide / 2, top + high / 2], [point.x, point.y], 1);
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Shift+N");
  await page.keyboard.press("ArrowDown");
  now = await state();
  assert.equal(now.points[0].x, point.x + 1);
  assert.equal(now.boxes[0].y, first.boxes[0].y + 1);
  const undoButton = root.getByRole("button", { name: "Undo" });
  await undoButton.focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  assert.deepEqual(await state(), first);
  assert.ok(await undoButton.evaluate((button) => button === document.activeElement));
  await root.getByRole("button", { name: "Whole picture" }).click();

  // Run; the masks come into the editor and out of the node.
  const outputs = await runWorkflow(page);
  assert.ok(outputs[3].dpt_segment[0].masks, "some mask is found");
  /** @param {number} count */
  const hasPictures = (count) =>
    page.waitForFunction(
      (wanted) => document.querySelectorAll(".dpt-points svg image[href]").length === wanted,
      count,
    );
  await hasPictures(2);
  const said = await newLoaderText(page);
  assert.ok(said.startsWith(`${checkpoint}\nSegment Anything`), said);
  await page.waitForTimeout(1000);
  await shot("3-masks");

  // The same once more changes nothing on the page.
  const changes = await page.evaluate(() => {
    const observer = new MutationObserver(() => {});
    const svg = document.querySelector(".dpt-points svg");
    if (!svg) throw new Error("there is no editor");
    observer.observe(svg, { subtree: true, attributeFilter: ["href"] });
    window.app.nodeOutputs = { ...window.app.nodeOutputs };
    return observer.takeRecords().length;
  });
  assert.equal(changes, 0);

  // Nodes that are made anew show the same, and work.
  for (const renew of [changeAndUndo, toOtherTabAndBack]) {
    await renew(page);
    await hasPictures(2);
    await page.waitForTimeout(500);
    assert.equal(await loaderText(page), said, renew.name);
    await click(60, 330);
    assert.equal((await state()).points.length, first.points.length + 1, renew.name);
    await page.keyboard.press("Control+z");
    assert.deepEqual(await state(), first, renew.name);
  }

  // Of a batch, the first image is shown.
  await page.evaluate(() => {
    const node = window.findNode("DPTSegment");
    const [result] = window.app.nodeOutputs[3].dpt_segment;
    node.onExecuted?.({ dpt_segment: [{ ...result, count: 3 }] });
  });
  assert.match(await status(), /^image 1 of 3 — 2 points/);

  // Another picture is chosen while the run is on its way: its masks are not drawn over that.
  const chosen = await fetch(`${address}/view?filename=${pictureName}&type=input`);
  const form = new FormData();
  form.append("image", await chosen.blob(), "other.png");
  await fetch(`${address}/upload/image`, { method: "POST", body: form });
  await page.evaluate(() => {
    window.chooseImage = (name) => {
      window.findWidget("LoadImage", "image").value = name;
    };
    const choose = () => window.chooseImage("other.png");
    window.app.api.addEventListener("execution_start", choose, { once: true });
  });
  await runWorkflow(page);
  await hasPictures(1);
  assert.match((await picture.getAttribute("href")) ?? "", /other\.png/);
  await page.evaluate((name) => window.chooseImage(name), pictureName);
  await page.mouse.move(5, 500);
  await page.mouse.move(...(await at(40, 40)));
  await hasPictures(2);

  // Text from another node: the editor says so and takes nothing.
  await page.evaluate(() => {
    const { app, LiteGraph } = window;
    const node = window.findNode("DPTSegment");
    window.textNode = LiteGraph.createNode("PrimitiveString");
    app.graph.add(window.textNode);
    window.textNode.connect(0, node, node.inputs.findIndex(({ name }) => name === "prompts"));
  });
  await root.getByText("The points come from another node.").first().waitFor();
  assert.equal(await root.locator("svg circle").count(), 0);
  await click(60, 330);
  await page.keyboard.press("Delete");
  assert.deepEqual(await state(), first);
  await shot("4-linked");
  await page.evaluate(() => window.app.graph.remove(window.textNode));
  await root.locator("svg circle").first().waitFor();
  await click(60, 330);
  await page.keyboard.press("Delete");
  assert.deepEqual(await state(), first);

  // Text that others set is shown, and its faults as one sentence.
  /** @param {string} text */
  const setText = (text) =>
    page.evaluate((value) => {
      window.findWidget("DPTSegment", "prompts").value = value;
    }, text);
  const before = JSON.stringify(await state());
  await setText("{oops");
  await page.mouse.move(5, 500);
  await page.mouse.move(...(await at(40, 40)));
  await page.waitForTimeout(200);
  assert.match(await status(), /not valid JSON/);
  await setText(before);
  await page.mouse.move(5, 500);
  await page.mouse.move(...(await at(40, 40)));
  await page.waitForTimeout(200);
  assert.match(await status(), /2 points, 1 box/);

  // Reload.
  await reload(page);
  await page.waitForFunction(() => document.querySelector(".dpt-points svg circle"), null, {
    timeout: 30000,
  });
  assert.equal(JSON.stringify(await state()), before);
  await page.waitForTimeout(1000);
  await shot("5-reloaded");

  // Into a subgraph and out again.
  await page.evaluate(() => {
    window.app.graph.convertToSubgraph(new Set([window.findNode("DPTSegment")]));
  });
  await page.waitForTimeout(500);
  const inside = await runWorkflow(page);
  assert.ok(Object.entries(inside).some(([id, output]) => /:/.test(id) && output.dpt_segment));
  const editors = () => countObjects(page, "SVGSVGElement.prototype");
  for (const renew of [changeAndUndo, toOtherTabAndBack]) {
    await renew(page);
    await page.waitForTimeout(500);
    assert.equal(await editors(), 1, `${renew.name} within a subgraph`);
  }
  await page.evaluate(() => {
    const { graph } = window.app;
    const node = graph.nodes.find((candidate) => candidate.isSubgraphNode());
    if (!node) throw new Error("there is no subgraph");
    graph.unpackSubgraph(node);
  });
  await page.waitForFunction(
    () => document.querySelectorAll(".dpt-points svg circle").length === 2,
  );
  assert.equal(JSON.stringify(await state()), before);

  // Delete the node: no picture stays in memory.
  assert.equal(await editors(), 1);
  await page.evaluate(() => {
    window.app.graph.remove(window.findNode("DPTSegment"));
  });
  await page.waitForFunction(() => !document.querySelector(".dpt-points"));
  await page.waitForTimeout(500);
  assert.equal(await editors(), 0);
  assert.deepEqual(errors, []);
  await context.close();
  return { name, size };
}

/**
 * How many SVG elements that hold a picture are in memory, on the page or not: ComfyUI may keep a
 * deleted node itself for a while.
 *
 * @param {Page} page
 * @param {string} prototype an expression
 */
async function countObjects(page, prototype) {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  const { result } = await session.send("Runtime.evaluate", { expression: prototype });
  assert.ok(result.objectId);
  const { objects } = await session.send("Runtime.queryObjects", {
    prototypeObjectId: result.objectId,
  });
  const { result: count } = await session.send("Runtime.callFunctionOn", {
    objectId: objects.objectId,
    functionDeclaration:
      "function () { return this.filter((svg) => svg.querySelector('image[href]')).length; }",
  });
  await session.detach();
  return count.value;
}

await inBothRenderings(check);
