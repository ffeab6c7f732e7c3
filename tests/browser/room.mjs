// Measures whether nodes have room: new ones, and those of every template before and after a run.
// node room.mjs ADDRESS SCREENSHOTS TEMPLATE…
// Prints for the new nodes, and for each template and time, in both renderings: which nodes
// overlap, and which elements of widgets do not fit on their node.

import { join } from "node:path";

import { inBrowser, nodeBox, openEditor } from "./editor.mjs";

/** @import { Page } from "playwright-core" */
/** @import { Box } from "./editor.mjs" */

const [address, screenshots, ...templates] = process.argv.slice(2);

const NODES_WITH_ELEMENTS = [
  "DPTLoadCheckpoint",
  "DPTLoadSAM",
  "DPTSegment",
  "DPTAlignDepth",
  "DPTVisualizeStages",
];
const LEAST_GAP = 15;

await inBrowser(async (browser) => {
  for (const isVue of [false, true]) {
    const rendering = isVue ? "vue" : "classic";
    const { context, page } = await openEditor(browser, address, { isVue });
    await page.setViewportSize({ width: 1900, height: 1000 });
    /** @param {string} name @param {string} when */
    const report = async (name, when) => {
      await showAll(page);
      await page.screenshot({ path: join(screenshots, `${rendering}-${name}-${when}.png`) });
      const overlaps = await findOverlaps(page);
      const cut = await page.evaluate(findCutElements);
      console.log(JSON.stringify({ name, when, rendering, overlaps, cut }));
    };

    await page.evaluate(addNodes, NODES_WITH_ELEMENTS);
    await report("nodes", "new");
    for (const template of templates) {
      await page.evaluate(openTemplate, template);
      await report(template, "opened");
      await page.evaluate(runToItsEnd);
      await report(template, "run");
      if (template !== "visualize_stages") continue;
      await page.getByRole("button", { name: "Explore" }).click();
      await page.locator(".dpt-stages .strip figure").first().waitFor();
      await report(template, "explored");
    }
    await context.close();
  }
});

/** @param {Page} page */
async function showAll(page) {
  await page.keyboard.press("Escape");
  await page.waitForTimeout(500);
  await page.evaluate(() =>
    window.app.extensionManager.command.execute("Comfy.Canvas.FitView"),
  );
  await page.waitForTimeout(1000);
}

/**
 * @param {Page} page
 * @returns {Promise<string[][]>} the types of each two nodes that overlap or nearly touch
 */
async function findOverlaps(page) {
  const nodes = await page.evaluate(() =>
    window.app.graph.nodes.map(({ id, type }) => ({ id, type })),
  );
  /** @type {{type: string, box: Box}[]} */
  const placed = [];
  for (const { id, type } of nodes) placed.push({ type, box: await nodeBox(page, id) });
  return placed.flatMap((a, i) =>
    placed
      .slice(i + 1)
      .filter((b) => areNear(a.box, b.box))
      .map((b) => [a.type, b.type]),
  );
}

/** @param {Box} a @param {Box} b */
function areNear(a, b) {
  return (
    a.x < b.x + b.width + LEAST_GAP &&
    b.x < a.x + a.width + LEAST_GAP &&
    a.y < b.y + b.height + LEAST_GAP &&
    b.y < a.y + a.height + LEAST_GAP
  );
}

// ---- these run in the page

/** @param {string[]} types */
function addNodes(types) {
  const { app, LiteGraph } = window;
  app.graph.clear();
  types.forEach((type, i) => {
    const node = LiteGraph.createNode(type);
    node.pos = [600 * i, 0];
    app.graph.add(node);
  });
}

/** @param {string} name */
async function openTemplate(name) {
  const { api } = window.app;
  /** @type {Record<string, string[]>} */
  const packs = await (await api.fetchApi("/workflow_templates")).json();
  const pack = Object.keys(packs).find((key) => packs[key].includes(name));
  const response = await api.fetchApi(`/workflow_templates/${pack}/${name}.json`);
  await window.app.loadGraphData(await response.json());
}

/** Run the nodes that can run: those whose models are there. */
async function runToItsEnd() {
  const { api } = window.app;
  const end = new Promise((resolve, reject) => {
    api.addEventListener("execution_success", resolve, { once: true });
    api.addEventListener("execution_error", ({ detail }) => {
      reject(new Error(detail.exception_message));
    });
  });
  await window.app.queuePrompt(0);
  await end;
}

/** @returns {string[]} what does not fit: the node, the widget, and the element in it */
function findCutElements() {
  return window.app.graph.nodes.flatMap((node) =>
    (node.widgets ?? [])
      .filter(({ name }) => name.startsWith("dpt_"))
      .flatMap(({ name, element }) => {
        if (!element?.checkVisibility()) return [`${node.type} ${name}: not visible`];
        const frame = element.closest(".dom-widget, .lg-node")?.getBoundingClientRect();
        const bottom = Math.min(element.getBoundingClientRect().bottom, frame?.bottom ?? 0);
        const isCut = element.scrollHeight > element.clientHeight + 1;
        const children = [...element.children].filter(
          (child) => child.getBoundingClientRect().bottom > bottom + 1,
        );
        return [...(isCut ? ["scrolls"] : []), ...children.map(({ className }) => className)].map(
          (part) => `${node.type} ${name}: ${part}`,
        );
      }),
  );
}
