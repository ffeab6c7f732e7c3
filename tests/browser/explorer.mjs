// Drives the explorer of Visualize Stages in a real server with a headless Chromium.
// node explorer.mjs ADDRESS CHECKPOINT PICTURE SCREENSHOTS

import assert from "node:assert/strict";
import { join } from "node:path";

import {
  changeAndUndo,
  inBothRenderings,
  loaderText,
  loadWorkflow,
  open,
  ready,
  toOtherTabAndBack,
} from "./page.mjs";

const [address, checkpoint, picture, screenshots] = process.argv.slice(2);

const WORKFLOW = {
  id: "6f0c0f0e-93b5-4d3a-a5f1-2f6f0a9b0001",
  version: 0.4,
  last_node_id: 3,
  last_link_id: 2,
  nodes: [
    {
      ...{ id: 1, type: "DPTLoadCheckpoint", pos: [20, 60], size: [300, 300], mode: 0, order: 0 },
      ...{ inputs: [], outputs: [{ name: "model", type: "DPT_MODEL", links: [1] }] },
      widgets_values: [checkpoint, "float32", "v2", 0],
    },
    {
      ...{ id: 2, type: "LoadImage", pos: [20, 420], size: [300, 320], mode: 0, order: 1 },
      inputs: [],
      outputs: [
        { name: "IMAGE", type: "IMAGE", links: [2] },
        { name: "MASK", type: "MASK", links: null },
      ],
      widgets_values: [picture, "image"],
    },
    {
      ...{ id: 3, type: "DPTVisualizeStages", pos: [360, 60], size: [420, 520], mode: 0, order: 2 },
      inputs: [
        { name: "model", type: "DPT_MODEL", link: 1 },
        { name: "image", type: "IMAGE", link: 2 },
      ],
      outputs: [],
    },
  ],
  links: [
    [1, 1, 0, 3, 0, "DPT_MODEL"],
    [2, 2, 0, 3, 1, "IMAGE"],
  ],
};

/** One way of drawing nodes, from an empty page to a deleted node. */
async function run(browser, isVue) {
  const name = isVue ? "vue" : "classic";
  const { context, page, errors } = await open(browser, address, {
    isVue,
    height: 1300,
    beforeLoading: watchPacks,
  });
  const shot = (what) => page.screenshot({ path: join(screenshots, `${name}-${what}.png`) });
  const root = await loadWorkflow(page, WORKFLOW, ".dpt-stages");
  await page.waitForTimeout(500);
  await page.evaluate(() => Object.assign(window.app.canvas.ds, { scale: 0.8, offset: [20, 40] }));

  // Queue.
  const toggle = root.getByRole("button", { name: /Explore|Close/ });
  assert.ok(await toggle.isDisabled());
  await page.evaluate(() => window.app.queuePrompt(0));
  await page.waitForFunction(
    () => !document.querySelector(".dpt-stages button")?.disabled,
    null,
    { timeout: 180000 },
  );
  let fetched = 0;
  page.on("request", (request) => (fetched += request.url().includes("dpt_stages")));
  await page.waitForTimeout(500);
  assert.equal(fetched, 0, "tokens are sent only when the explorer is open");
  const said = await loaderText(page);
  assert.ok(said.startsWith(`${checkpoint}\nDepth Anything V2`), said);
  assert.equal(await toggle.getAttribute("aria-expanded"), "false");
  await shot("1-closed");

  // Open.
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
  assert.match(await root.locator(".large figcaption").textContent(), /^stage 3/);
  assert.deepEqual(await pixels(page), colors, "hovering alone changes no picture");
  for (const key of ["1", "4", "2"]) {
    await page.keyboard.press(key);
    assert.match(await root.locator(".large figcaption").textContent(), new RegExp(`^stage ${key}`));
  }

  // The arrows compare with the next cell of the chosen map, from the middle on.
  const ring = () =>
    figures.nth(0).locator(".ring").evaluate(({ style }) => [style.left, style.top].map(parseFloat));
  const [rows, cells] = (await root.locator(".large figcaption small").textContent())
    .split(/\D+/)
    .map(Number);
  const cell = (at, count) => (100 * (Math.floor(count / 2) + at + 0.5)) / count;
  for (const [key, across, down] of [["ArrowRight", 1, 0], ["ArrowUp", 1, -1]]) {
    await page.keyboard.press(key);
    await settle(page);
    const [left, top] = await ring();
    assert.ok(Math.abs(left - cell(across, cells)) < 0.01, `${key}: ${left}`);
    assert.ok(Math.abs(top - cell(down, rows)) < 0.01, `${key}: ${top}`);
  }
  await page.keyboard.press("Escape");

  // The pointer alone brings the keys, and leaves what is selected.
  const hasFocus = () => root.evaluate((element) => document.activeElement === element);
  const selected = () => page.evaluate(() => [...window.app.canvas.selectedItems].map(({ id }) => id));
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
  assert.equal(await root.evaluate(({ tabIndex }) => tabIndex), 0, "Tab gets there too");

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
  assert.match((await captions()).at(-2), /^block 3/);
  assert.notEqual((await pixels(page)).at(-2), dragged.at(-2));
  await page.keyboard.press("Escape");
  await root.getByRole("button", { name: "Colors" }).click();
  await settle(page);
  assert.equal((await pixels(page))[2], colors[2]);

  // Copy.
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await root.getByRole("button", { name: "Copy" }).click();
  await page.waitForFunction(() => /Copied/.test(document.querySelector(".dpt-stages .status").textContent));
  const copied = await page.evaluate(async () => {
    const [item] = await navigator.clipboard.read();
    const bitmap = await createImageBitmap(await item.getType("image/png"));
    return [bitmap.width, bitmap.height];
  });
  assert.ok(copied[0] > 600 && copied[1] > 400, `${copied}`);

  // Close: nothing is kept. Open again.
  await toggle.click();
  assert.equal(await root.locator("figure .frame").count(), 1, "only the empty large one is left");
  assert.equal(await countPacks(page), 0);
  await toggle.click();
  await page.waitForFunction(() => document.querySelectorAll(".dpt-stages .strip figure").length);
  assert.equal(fetched, 2);

  // Nothing of a run is in the workflow.
  const saved = await page.evaluate(() => JSON.stringify(window.app.graph.serialize()));
  assert.ok(!saved.includes("dpt_stages"));

  // Nodes that are made anew show the same, loaded once.
  for (const [renew, fetches] of [[changeAndUndo, 3], [toOtherTabAndBack, 4]]) {
    await renew(page);
    await page.waitForFunction(() => document.querySelectorAll(".dpt-stages .strip figure").length);
    await page.waitForTimeout(500);
    assert.equal(await loaderText(page), said, renew.name);
    assert.equal(fetched, fetches, renew.name);
    assert.equal(await countPacks(page), 1, renew.name);
  }

  // Reload.
  await page.waitForTimeout(1500);
  await page.reload({ waitUntil: "domcontentloaded" });
  await ready(page);
  await page.waitForFunction(
    () => document.querySelectorAll(".dpt-stages .strip figure").length,
    null,
    { timeout: 30000 },
  );
  await settle(page);
  assert.deepEqual((await pixels(page)).slice(0, 6), colors.slice(0, 6), "as before the reload");
  await shot("4-reloaded");

  // Delete.
  assert.equal(await countPacks(page), 1);
  await page.evaluate(() => {
    const [node] = window.app.graph.nodes.filter((n) => n.comfyClass === "DPTVisualizeStages");
    window.app.graph.remove(node);
  });
  await page.waitForFunction(() => !document.querySelector(".dpt-stages"));
  await settle(page);
  assert.equal(await countPacks(page), 0, "the tokens are still in memory");
  assert.deepEqual(errors, []);
  await context.close();
  return { name, rate: Math.round(rate), median, copied };
}

/** Run in the page: keep weak references to the packs that it receives. */
function watchPacks() {
  const { arrayBuffer } = Response.prototype;
  window.packs = [];
  Response.prototype.arrayBuffer = async function () {
    const buffer = await arrayBuffer.call(this);
    if (this.url.includes("dpt_stages")) window.packs.push(new WeakRef(buffer));
    return buffer;
  };
}

/** Two frames, so that what was asked for is drawn. */
const settle = (page) =>
  page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

/** One number for what each picture of the strip shows. */
const pixels = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll(".dpt-stages .strip canvas")].map((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return data.reduce((sum, value, i) => (sum * 31 + value * ((i % 97) + 1)) % 1000003, 7);
    }),
  );

async function press(page, locator, x, y) {
  const box = await locator.boundingBox();
  await page.mouse.move(box.x + x * box.width, box.y + y * box.height);
  await page.mouse.down();
  await page.mouse.up();
}

/**
 * Drag across a picture for a while; → the median milliseconds that a frame takes to compute and
 * draw, and how many there were in a second (which depends on what else the machine does).
 */
async function drag(page, locator) {
  const box = await locator.boundingBox();
  await page.evaluate(() => {
    const { putImageData } = CanvasRenderingContext2D.prototype;
    const { requestAnimationFrame } = window;
    let isDrawn = false;
    window.taken = [];
    CanvasRenderingContext2D.prototype.putImageData = function (...args) {
      isDrawn = true;
      return putImageData.apply(this, args);
    };
    window.requestAnimationFrame = (callback) =>
      requestAnimationFrame((time) => {
        const start = performance.now();
        isDrawn = false;
        callback(time);
        if (isDrawn) window.taken.push(performance.now() - start);
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
  await page.mouse.up();
  const seconds = (Date.now() - start) / 1000;
  const taken = (await page.evaluate(() => window.taken)).sort((a, b) => a - b);
  return { median: taken[taken.length >> 1], rate: taken.length / seconds };
}

/** How many of the packs that the page has received are still in memory. */
async function countPacks(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  await session.detach();
  return page.evaluate(() => window.packs.filter((pack) => pack.deref()).length);
}

await inBothRenderings(run);
