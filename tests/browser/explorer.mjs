// Checks the explorer of Visualize Stages.
// node explorer.mjs ADDRESS CHECKPOINT PICTURE PANORAMA SCREENSHOTS

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
import { input, output } from "./workflow.mjs";

/** @import { Browser, Locator, Page } from "playwright-core" */

const [address, checkpoint, picture, panorama, screenshots] = process.argv.slice(2);

const WORKFLOW = {
  id: "6f0c0f0e-93b5-4d3a-a5f1-2f6f0a9b0001",
  version: 0.4,
  last_node_id: 3,
  last_link_id: 2,
  nodes: [
    {
      ...{ id: 1, type: "DPTLoadCheckpoint", pos: [20, 60], size: [300, 300], mode: 0, order: 0 },
      ...{ inputs: [], outputs: [output("model", "DPT_MODEL", [1])] },
      widgets_values: [checkpoint, "float32", "v2", 0],
    },
    {
      ...{ id: 2, type: "LoadImage", pos: [20, 420], size: [300, 320], mode: 0, order: 1 },
      inputs: [],
      outputs: [output("IMAGE", "IMAGE", [2]), output("MASK", "MASK")],
      widgets_values: [picture, "image"],
    },
    {
      ...{ id: 3, type: "DPTVisualizeStages", pos: [360, 60], size: [420, 520], mode: 0, order: 2 },
      inputs: [input("model", "DPT_MODEL", 1), input("image", "IMAGE", 2)],
      outputs: [],
    },
  ],
  links: [
    [1, 1, 0, 3, 0, "DPT_MODEL"],
    [2, 2, 0, 3, 1, "IMAGE"],
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
  const { context, page, errors } = await openEditor(browser, address, {
    isVue,
    height: 1300,
    beforeLoading: watchStageFiles,
  });
  /** @param {string} what */
  const shot = (what) => page.screenshot({ path: join(screenshots, `${name}-${what}.png`) });
  const root = await loadWorkflow(page, WORKFLOW, ".dpt-stages");
  await page.waitForTimeout(500);
  await page.evaluate(() => Object.assign(window.app.canvas.ds, { scale: 0.8, offset: [20, 40] }));

  // Queue.
  const toggle = root.getByRole("button", { name: /Explore|Close/ });
  assert.ok(await toggle.isDisabled());
  await page.evaluate(() => window.app.queuePrompt(0));
  await page.waitForFunction(
    () => !document.querySelector(".dpt-stages button")?.hasAttribute("disabled"),
    null,
    { timeout: 180000 },
  );
  let fetched = 0;
  page.on("request", (request) => {
    if (request.url().includes("dpt_stages")) fetched++;
  });
  await page.waitForTimeout(500);
  assert.equal(fetched, 0, "tokens are sent only when the explorer is open");
  const said = await newLoaderText(page);
  assert.ok(said.startsWith(`${checkpoint}\nDepth Anything V2`), said);
  assert.equal(await toggle.getAttribute("aria-expanded"), "false");
  await shot("1-closed");

  // Open.
  const nodeSize = () =>
    page.evaluate(() => [...window.findNode("DPTVisualizeStages").size].map(Math.round));
  const closedSize = await nodeSize();
  await toggle.click();
  const captions = () => root.locator(".strip figcaption").allTextContents();
  await page.waitForFunction(() => document.querySelectorAll(".dpt-stages .strip figure").length);
  assert.equal(fetched, 1);
  assert.equal(await toggle.getAttribute("aria-expanded"), "true");
  const labels = (await captions()).map((text) => text.split(" ").slice(0, 2).join(" ").trim());
  assert.deepEqual(labels.slice(2, 6), ["stage 1", "stage 2", "stage 3", "stage 4"]);
  await settle(page);
  const colors = await pixels(page);
  assert.equal(new Set(colors).size, colors.length, "all pictures differ");
  await shot("2-open");

  // Hover enlarges.
  const figures = root.locator(".strip .frame");
  await figures.nth(4).hover();
  await settle(page);
  const caption = async (selector = "") =>
    (await root.locator(`.large figcaption ${selector}`).textContent()) ?? "";
  assert.match(await caption(), /^stage 3/);
  assert.deepEqual(await pixels(page), colors, "hovering alone changes no picture");
  for (const key of ["1", "4", "2"]) {
    await page.keyboard.press(key);
    assert.match(await caption(), new RegExp(`^stage ${key}`));
  }

  // The arrows compare with the next cell of the chosen map, from the middle on.
  const ring = () =>
    figures
      .nth(0)
      .locator(".ring")
      .evaluate((element) => {
        const { style } = /** @type {HTMLElement} */ (element);
        return [style.left, style.top].map(parseFloat);
      });
  const [rows, columns] = (await caption("small")).split(/\D+/).map(Number);
  /** @param {number} at cells from the middle @param {number} count */
  const cell = (at, count) => (100 * (Math.floor(count / 2) + at + 0.5)) / count;
  /** @type {[key: string, across: number, down: number][]} */
  const moves = [["ArrowRight", 1, 0], ["ArrowUp", 1, -1]];
  for (const [key, across, down] of moves) {
    await page.keyboard.press(key);
    await settle(page);
    const [left, top] = await ring();
    assert.ok(Math.abs(left - cell(across, columns)) < 0.01, `${key}: ${left}`);
    assert.ok(Math.abs(top - cell(down, rows)) < 0.01, `${key}: ${top}`);
  }
  await page.keyboard.press("Escape");

  // The pointer alone brings the keys, and leaves what is selected.
  const hasFocus = () => root.evaluate((element) => document.activeElement === element);
  const selected = () =>
    page.evaluate(() => [...window.app.canvas.selectedItems].map(({ id }) => id));
  await page.mouse.move(5, 500);
  await page.evaluate(() => {
    const { canvas, graph } = window.app;
    canvas.selectItems([1, 2].map((id) => graph.getNodeById(id)));
  });
  await figures.nth(4).hover();
  assert.ok(await hasFocus());
  assert.deepEqual((await selected()).sort(), [1, 2]);
  await page.mouse.move(5, 500);
  assert.ok(!(await hasFocus()));
  const tabIndex = await root.evaluate(
    (element) => /** @type {HTMLElement} */ (element).tabIndex,
  );
  assert.equal(tabIndex, 0, "Tab gets there too");

  // Press: similarity, in every stage; drag: it follows, fast enough for 30 frames a second.
  await press(page, figures.nth(2), 0.3, 0.4);
  await settle(page);
  const similar = await pixels(page);
  similar.forEach((value, i) => {
    const isPicture = i === 0 || i === similar.length - 1;
    assert.equal(value === colors[i], isPicture, `picture ${i}`);
  });
  await shot("3-similar");
  const { median, rate } = await drag(page, figures.nth(3));
  await settle(page);
  const dragged = await pixels(page);
  assert.notEqual(dragged[2], similar[2]);
  assert.ok(median < 1000 / 30, `a frame takes ${median} ms`);
  assert.ok(rate > 5, `${rate} frames a second`);
  assert.equal(fetched, 1, "nothing was fetched again");

  // The slider walks through the blocks.
  await root.locator("input[type=range]").fill("3");
  await settle(page);
  assert.match((await captions()).at(-2) ?? "", /^block 3/);
  assert.notEqual((await pixels(page)).at(-2), dragged.at(-2));
  await page.keyboard.press("Escape");
  await root.getByRole("button", { name: "Colours" }).click();
  await settle(page);
  assert.equal((await pixels(page))[2], colors[2]);

  // Delete in the explorer is not for the node, and the wheel is for the graph.
  await page.evaluate(() => window.app.canvas.selectNode(window.findNode("DPTVisualizeStages")));
  await figures.nth(4).hover();
  for (const key of ["Delete", "Backspace"]) await page.keyboard.press(key);
  await page.waitForTimeout(200);
  assert.equal(await page.evaluate(() => window.app.graph.nodes.length), 3);
  const view = () => page.evaluate(() => {
    const { scale, offset } = window.app.canvas.ds;
    return [scale, ...offset];
  });
  const viewBefore = await view();
  await page.mouse.wheel(0, 100);
  await page.waitForTimeout(500);
  assert.ok((await view())[0] < viewBefore[0], "the wheel zooms the graph");
  await page.evaluate(([scale, ...offset]) => {
    Object.assign(window.app.canvas.ds, { scale, offset });
    window.app.canvas.setDirty(true, true);
  }, viewBefore);
  await page.waitForTimeout(500);

  // The large view fills the window, works like the small one, and goes back on Escape.
  await root.getByRole("button", { name: "Full window" }).click();
  const dialog = page.locator("dialog.dpt-stages-dialog");
  await dialog.waitFor();
  assert.deepEqual(await boundingBox(dialog), { x: 0, y: 0, width: 1500, height: 1300 });
  await figures.nth(3).hover();
  await page.keyboard.press("3");
  await press(page, root.locator(".large .frame"), 0.5, 0.5);
  await settle(page);
  assert.match(await caption(), /^stage 3/);
  assert.notEqual((await pixels(page))[2], colors[2]);
  await shot("4-large");
  for (const frame of [figures.last(), root.locator(".large .frame")]) {
    const box = await boundingBox(frame);
    assert.ok(box.x + box.width <= 1500 && box.y + box.height <= 1300, JSON.stringify(box));
  }
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  assert.ok(await root.isVisible());
  await root.getByRole("button", { name: "Colours" }).click();

  // Copy.
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await root.getByRole("button", { name: "Copy" }).click();
  await root.locator(".status").filter({ hasText: "Copied" }).waitFor();
  const copied = await page.evaluate(async () => {
    const [item] = await navigator.clipboard.read();
    const bitmap = await createImageBitmap(await item.getType("image/png"));
    return [bitmap.width, bitmap.height];
  });
  assert.ok(copied[0] > 600 && copied[1] > 400, `${copied}`);

  // Close: nothing is kept. Open again.
  await toggle.click();
  assert.equal(await root.locator("figure .frame").count(), 1, "only the empty large one is left");
  assert.equal(await countStageFiles(page), 0);
  assert.deepEqual(await nodeSize(), closedSize);
  await toggle.click();
  await page.waitForFunction(() => document.querySelectorAll(".dpt-stages .strip figure").length);
  assert.equal(fetched, 2);

  // Nothing of a run is in the workflow.
  const saved = await page.evaluate(() => JSON.stringify(window.app.graph.serialize()));
  assert.ok(!saved.includes("dpt_stages"));
  const savedNode = JSON.parse(saved).nodes.find(({ id = 0 }) => id === 3);
  assert.deepEqual([...savedNode.size].map(Math.round), closedSize);

  // Nodes that are made anew show the same, loaded once.
  /** @type {[renew: typeof changeAndUndo, fetches: number][]} */
  const renewals = [[changeAndUndo, 3], [toOtherTabAndBack, 4]];
  for (const [renew, fetches] of renewals) {
    await renew(page);
    await page.waitForFunction(() => document.querySelectorAll(".dpt-stages .strip figure").length);
    await page.waitForTimeout(500);
    assert.equal(await loaderText(page), said, renew.name);
    assert.equal(fetched, fetches, renew.name);
    assert.equal(await countStageFiles(page), 1, renew.name);
  }

  // Reload.
  await reload(page);
  await page.waitForFunction(
    () => document.querySelectorAll(".dpt-stages .strip figure").length,
    null,
    { timeout: 30000 },
  );
  await settle(page);
  assert.deepEqual((await pixels(page)).slice(0, 6), colors.slice(0, 6), "as before the reload");
  await shot("5-reloaded");

  // Close: the node is as it was before the explorer was first opened.
  await toggle.click();
  assert.deepEqual(await nodeSize(), closedSize);
  await toggle.click();
  await page.waitForFunction(() => document.querySelectorAll(".dpt-stages .strip figure").length);

  // A panorama is not stretched.
  await page.evaluate((name) => {
    window.findWidget("LoadImage", "image").value = name;
  }, panorama);
  await runWorkflow(page);
  await page.waitForFunction(() => {
    const canvas = document.querySelector(".dpt-stages .strip canvas");
    return canvas instanceof HTMLCanvasElement && canvas.width > 5 * canvas.height;
  });
  for (const frame of [figures.first(), root.locator(".large .frame")]) {
    const { width, height } = await boundingBox(frame);
    assert.ok(Math.abs(width / height - 8) < 0.2, `${width} × ${height}`);
  }
  await shot("6-panorama");

  // Delete.
  assert.equal(await countStageFiles(page), 1);
  await page.evaluate(() => {
    window.app.graph.remove(window.findNode("DPTVisualizeStages"));
  });
  await page.waitForFunction(() => !document.querySelector(".dpt-stages"));
  await settle(page);
  assert.equal(await countStageFiles(page), 0, "the tokens are still in memory");
  assert.deepEqual(errors, []);
  await context.close();
  return { name, rate: Math.round(rate), median, copied };
}

/** Runs in the page: keeps weak references to the stage files that it receives. */
function watchStageFiles() {
  const { arrayBuffer } = Response.prototype;
  window.stageFiles = [];
  Response.prototype.arrayBuffer = async function () {
    const buffer = await arrayBuffer.call(this);
    if (this.url.includes("dpt_stages")) window.stageFiles.push(new WeakRef(buffer));
    return buffer;
  };
}

/**
 * Wait for two animation frames: then all that was asked for is drawn.
 *
 * @param {Page} page
 */
const settle = (page) =>
  page.evaluate(async () => {
    for (let i = 0; i < 2; i++) await new Promise((resolve) => requestAnimationFrame(resolve));
  });

/**
 * A number for each picture in the strip, which depends on its pixels.
 *
 * @param {Page} page
 */
const pixels = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll(".dpt-stages .strip canvas")].map((element) => {
      const canvas = /** @type {HTMLCanvasElement} */ (element);
      const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
      return data.reduce((sum, value, i) => (sum * 31 + value * ((i % 97) + 1)) % 1000003, 7);
    }),
  );

/**
 * @param {Page} page
 * @param {Locator} locator
 * @param {number} x from 0 to 1 across it
 * @param {number} y
 */
async function press(page, locator, x, y) {
  const box = await boundingBox(locator);
  await page.mouse.move(box.x + x * box.width, box.y + y * box.height);
  await page.mouse.down();
  await page.mouse.up();
}

/**
 * Drag across a picture for a while.
 *
 * @param {Page} page
 * @param {Locator} locator
 * @returns {Promise<{median: number, rate: number}>} the median milliseconds that a frame takes to
 *   compute and draw, and the frames in a second (which depend on what else the machine does)
 */
async function drag(page, locator) {
  const box = await boundingBox(locator);
  await page.evaluate(() => {
    const { putImageData } = CanvasRenderingContext2D.prototype;
    const { requestAnimationFrame } = window;
    let isDrawn = false;
    window.frameTimes = [];
    /**
     * @this {CanvasRenderingContext2D}
     * @param {[ImageData, number, number]} values
     */
    CanvasRenderingContext2D.prototype.putImageData = function (...values) {
      isDrawn = true;
      return putImageData.apply(this, /** @type {any} */ (values));
    };
    window.requestAnimationFrame = (callback) =>
      requestAnimationFrame((time) => {
        const start = performance.now();
        isDrawn = false;
        callback(time);
        if (isDrawn) window.frameTimes.push(performance.now() - start);
      });
  });
  await page.mouse.move(box.x + 4, box.y + 4);
  await page.mouse.down();
  const start = Date.now();
  for (let i = 0; Date.now() - start < 1500; i++) {
    await page.mouse.move(
      box.x + box.width * (0.5 + 0.45 * Math.sin(i / 9)),
      box.y + box.height * (0.5 + 0.45 * Math.cos(i / 7)),
    );
  }
  await page.mouse.move(box.x + 0.8 * box.width, box.y + 0.8 * box.height); // not where it began
  await page.mouse.up();
  const seconds = (Date.now() - start) / 1000;
  const times = (await page.evaluate(() => window.frameTimes)).sort((a, b) => a - b);
  return { median: times[times.length >> 1], rate: times.length / seconds };
}

/** @param {Locator} locator */
async function boundingBox(locator) {
  const box = await locator.boundingBox();
  assert.ok(box);
  return box;
}

/**
 * How many of the stage files that the page has received are still in memory.
 *
 * @param {Page} page
 */
async function countStageFiles(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  await session.detach();
  return page.evaluate(() => window.stageFiles.filter((file) => file.deref()).length);
}

await inBothRenderings(check);
