// Runs ComfyUI's editor in a headless Chromium, for the scripts beside this file. They check one
// thing each in the editor of a running server, and print a line of JSON for each thing seen.
// Environment: PLAYWRIGHT, a folder whose node_modules has playwright-core (this one after
// `npm ci`, if it is not set); CHROMIUM; DPT_BROWSER, the address of a browser that serve.mjs
// keeps, or else each script starts its own.

import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** @import { Browser, BrowserContext, Locator, Page } from "playwright-core" */

const HERE = fileURLToPath(new URL(".", import.meta.url));
const requireFrom = createRequire(join(process.env.PLAYWRIGHT ?? HERE, "/"));
/** @type {typeof import("playwright-core")} */
export const { chromium } = requireFrom("playwright-core");

/** How a browser is started. */
export const LAUNCH = {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
};

// What ComfyUI reports without any pack, with an empty profile and without internet.
const IGNORED_ERRORS =
  /before initialization|favicon|userdata|user\.css|settings|ERR_NAME_NOT_RESOLVED/;

/**
 * Run a check in classic and in Vue rendering, and print what it returns.
 *
 * @param {(browser: Browser, isVue: boolean) => Promise<object>} check
 */
export async function inBothRenderings(check) {
  await inBrowser(async (browser) => {
    for (const isVue of [false, true]) console.log(JSON.stringify(await check(browser, isVue)));
  });
}

/**
 * Run a check in a browser, which is closed afterwards, or only left if it is shared.
 *
 * @param {(browser: Browser) => Promise<void>} check
 */
export async function inBrowser(check) {
  const shared = process.env.DPT_BROWSER;
  const browser = await (shared ? chromium.connect(shared) : chromium.launch(LAUNCH));
  try {
    await check(browser);
  } finally {
    await browser.close();
  }
}

/**
 * Open the editor in a fresh profile.
 *
 * @param {Browser} browser
 * @param {string} address of the server
 * @param {object} options
 * @param {boolean} options.isVue
 * @param {number} [options.height] of the window
 * @param {() => void} [options.beforeLoading] is run in the page first
 * @returns {Promise<{context: BrowserContext, page: Page, errors: string[]}>} `errors` fills with
 *   what goes wrong in the page, save ComfyUI's own errors
 */
export async function openEditor(browser, address, { isVue, height = 1000, beforeLoading }) {
  const context = await browser.newContext({ viewport: { width: 1500, height } });
  const page = await context.newPage();
  await page.addInitScript(defineHelpers);
  if (beforeLoading) await page.addInitScript(beforeLoading);
  /** @type {string[]} */
  const errors = [];
  /** @param {string} text */
  const note = (text) => {
    if (!IGNORED_ERRORS.test(text)) errors.push(text);
  };
  page.on("pageerror", (error) => note(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") note(`${message.text()} (${message.location().url})`);
  });
  await page.goto(address, { waitUntil: "domcontentloaded" });
  await waitForGraph(page);
  await page.waitForTimeout(2000);
  await page.evaluate(async (vue) => {
    await window.app.extensionManager.setting.set("Comfy.VueNodes.Enabled", vue);
    await window.app.extensionManager.setting.set("Comfy.TutorialCompleted", true);
  }, isVue);
  return { context, page, errors };
}

/** Runs in the page: what the scripts need there, declared in editor.d.ts. */
function defineHelpers() {
  window.findNode = (type) => {
    const found = window.app.graph.nodes.find((node) => node.comfyClass === type);
    if (!found) throw new Error(`the graph has no ${type}`);
    return found;
  };
  window.findWidget = (type, name) => {
    const found = window.findNode(type).widgets.find((widget) => widget.name === name);
    if (!found) throw new Error(`${type} has no widget ${name}`);
    return found;
  };
}

/**
 * Wait until the editor has a graph.
 *
 * @param {Page} page
 */
export async function waitForGraph(page) {
  await page.waitForFunction(() => window.app?.graph && window.LiteGraph, null, {
    timeout: 90000,
  });
}

/**
 * Load the page anew, once ComfyUI has stored the graph as it is now.
 *
 * @param {Page} page
 */
export async function reload(page) {
  const mark = await page.evaluate(() => {
    const { app } = window;
    const mark = crypto.randomUUID();
    app.graph.extra.mark = mark; // a change, so that it is stored
    app.extensionManager.workflow.activeWorkflow.changeTracker.captureCanvasState();
    return mark;
  });
  await page.waitForFunction(
    (text) => Object.values(localStorage).some((stored) => stored.includes(text)),
    mark,
  );
  await page.reload({ waitUntil: "domcontentloaded" });
  await waitForGraph(page);
}

/**
 * Show a workflow, and wait for the one element that a selector finds on its nodes.
 *
 * @param {Page} page
 * @param {object} workflow
 * @param {string} selector
 * @returns {Promise<Locator>} the element
 */
export async function loadWorkflow(page, workflow, selector) {
  await page.evaluate((content) => window.app.loadGraphData(content), workflow);
  const element = page.locator(selector);
  await element.waitFor({ state: "attached" });
  await page.keyboard.press("Escape");
  return element;
}

/** @typedef {{x: number, y: number, width: number, height: number}} Box */

/**
 * Where a node is on the graph, its title included.
 *
 * @param {Page} page
 * @param {number} id
 * @returns {Promise<Box>}
 */
export function nodeBox(page, id) {
  return page.evaluate((nodeId) => {
    const { canvas, graph } = window.app;
    const element = document.querySelector(`[data-node-id="${nodeId}"]`);
    if (element === null) {
      const [x, y, width, height] = graph.getNodeById(nodeId).boundingRect;
      return { x, y, width, height };
    }
    const { scale, offset } = canvas.ds;
    const origin = canvas.canvas.getBoundingClientRect();
    const box = element.getBoundingClientRect();
    return {
      x: (box.x - origin.x) / scale - offset[0],
      y: (box.y - origin.y) / scale - offset[1],
      width: box.width / scale,
      height: box.height / scale,
    };
  }, id);
}

/**
 * Make ComfyUI create all nodes anew, by a change and its undoing.
 *
 * @param {Page} page
 */
export async function changeAndUndo(page) {
  await page.evaluate(async () => {
    const { changeTracker } = window.app.extensionManager.workflow.activeWorkflow;
    changeTracker.captureCanvasState();
    const [node] = window.app.graph.nodes;
    node.title += "!";
    changeTracker.captureCanvasState();
    await changeTracker.undo();
    if (window.app.graph.nodes.includes(node)) throw new Error("the nodes are still the same");
  });
}

/**
 * Make ComfyUI create all nodes anew, by opening another workflow and closing it again.
 *
 * @param {Page} page
 */
export async function toOtherTabAndBack(page) {
  /** @param {string} name */
  const execute = (name) =>
    page.evaluate((command) => window.app.extensionManager.command.execute(command), name);
  await execute("Comfy.NewBlankWorkflow");
  await page.waitForFunction(() => !window.app.graph.nodes.length);
  await execute("Workspace.CloseWorkflow");
  await page.waitForFunction(() => window.app.graph.nodes.length);
}

/**
 * What the loader node says on the page about its file.
 *
 * @param {Page} page
 * @returns {Promise<string>}
 */
export function loaderText(page) {
  return page.evaluate(() => {
    const loader = window.app.graph.nodes.find(({ type }) => type.startsWith("DPTLoad"));
    const widget = loader?.widgets.find(({ name }) => name === "dpt_summary");
    if (!widget?.element) throw new Error("the graph has no loader with a summary");
    return widget.element.isConnected ? (widget.element.textContent ?? "") : "";
  });
}

/**
 * The text on the loader once a run has brought it: ComfyUI sends it apart from other results.
 *
 * @param {Page} page
 * @returns {Promise<string>}
 */
export async function newLoaderText(page) {
  const end = Date.now() + 10000;
  let text = await loaderText(page);
  while (text.startsWith("Run the workflow") && Date.now() < end) {
    await page.waitForTimeout(100);
    text = await loaderText(page);
  }
  return text;
}

/**
 * Run the workflow that is open and wait for its end.
 *
 * @param {Page} page
 * @returns {Promise<Record<string, Comfy.NodeOutput>>} what the nodes sent to the browser
 */
export async function runWorkflow(page) {
  await page.evaluate(() => {
    window.finished = new Promise((resolve, reject) => {
      /** @type {Record<string, Comfy.NodeOutput>} */
      const outputs = {};
      const { api } = window.app;
      api.addEventListener("executed", ({ detail }) => {
        outputs[detail.node] = detail.output;
      });
      api.addEventListener("execution_success", () => resolve(outputs));
      api.addEventListener("execution_error", ({ detail }) =>
        reject(new Error(detail.exception_message)),
      );
    });
    window.app.queuePrompt(0);
  });
  return page.evaluate(() => window.finished);
}
