// The start that the browser drives share: a headless Chromium on a running server.
// Environment: PLAYWRIGHT, a folder whose node_modules has playwright-core; CHROMIUM.

import { createRequire } from "node:module";
import { join } from "node:path";

const { chromium } = createRequire(join(process.env.PLAYWRIGHT, "/"))("playwright-core");

// What the host complains about without any pack, with an empty profile and without internet.
const HOSTS_OWN = /before initialization|favicon|userdata|user\.css|settings|ERR_NAME_NOT_RESOLVED/;

/** Run a drive, an async function of (browser, isVue), in classic and in Vue rendering. */
export async function inBothRenderings(drive) {
  await inBrowser(async (browser) => {
    for (const isVue of [false, true]) console.log(JSON.stringify(await drive(browser, isVue)));
  });
}

/** Run an async function of a browser, which is closed in the end. */
export async function inBrowser(drive) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
  try {
    await drive(browser);
  } finally {
    await browser.close();
  }
}

/**
 * The editor in a fresh profile; `beforeLoading` is run in the page first.
 * `errors` fills with what goes wrong, save the host's own complaints.
 */
export async function open(browser, address, { isVue, height = 1000, beforeLoading }) {
  const context = await browser.newContext({ viewport: { width: 1500, height } });
  const page = await context.newPage();
  if (beforeLoading) await page.addInitScript(beforeLoading);
  const errors = [];
  const note = (text) => HOSTS_OWN.test(text) || errors.push(text);
  page.on("pageerror", (error) => note(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") note(`${message.text()} (${message.location().url})`);
  });
  await page.goto(address, { waitUntil: "domcontentloaded" });
  await ready(page);
  await page.waitForTimeout(2000);
  await page.evaluate(async (vue) => {
    await window.app.extensionManager.setting.set("Comfy.VueNodes.Enabled", vue);
    await window.app.extensionManager.setting.set("Comfy.TutorialCompleted", true);
  }, isVue);
  return { context, page, errors };
}

/** Wait until the editor has a graph. */
export const ready = (page) =>
  page.waitForFunction(() => window.app?.graph && window.LiteGraph, null, { timeout: 90000 });

/** Show a workflow, and wait for the one element that a selector finds on its nodes. */
export async function loadWorkflow(page, workflow, selector) {
  await page.evaluate((content) => window.app.loadGraphData(content), workflow);
  const root = page.locator(selector);
  await root.waitFor({ state: "attached" });
  await page.keyboard.press("Escape");
  return root;
}

/** Change the graph and undo that: the host makes all nodes anew. */
export const changeAndUndo = (page) =>
  page.evaluate(async () => {
    const { changeTracker } = window.app.extensionManager.workflow.activeWorkflow;
    changeTracker.captureCanvasState();
    const [node] = window.app.graph.nodes;
    node.title += "!";
    changeTracker.captureCanvasState();
    await changeTracker.undo();
    if (window.app.graph.nodes.includes(node)) throw new Error("the nodes are still the same");
  });

/** Go to another workflow and, as that is closed, back: the same, in another way. */
export async function toOtherTabAndBack(page) {
  const run = (name) =>
    page.evaluate((command) => window.app.extensionManager.command.execute(command), name);
  await run("Comfy.NewBlankWorkflow");
  await page.waitForFunction(() => !window.app.graph.nodes.length);
  await run("Workspace.CloseWorkflow");
  await page.waitForFunction(() => window.app.graph.nodes.length);
}

/** What a loader says on the page about its file. */
export const loaderText = (page) =>
  page.evaluate(() => {
    const loader = window.app.graph.nodes.find(({ type }) => type.startsWith("DPTLoad"));
    const { element } = loader.widgets.find(({ name }) => name === "dpt_summary");
    return element.isConnected ? element.textContent : "";
  });

/** Queue the graph and wait; → the nodes' results in the browser. */
export async function queue(page) {
  await page.evaluate(() => {
    window.finished = new Promise((done, fail) => {
      const results = {};
      const { api } = window.app;
      api.addEventListener("executed", ({ detail }) => (results[detail.node] = detail.output));
      api.addEventListener("execution_success", () => done(results));
      api.addEventListener("execution_error", ({ detail }) => fail(new Error(detail.exception_message)));
    });
    window.app.queuePrompt(0);
  });
  return page.evaluate(() => window.finished);
}
