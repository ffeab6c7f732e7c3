// Opens the help page of every node.
// node help_pages.mjs ADDRESS SCREENSHOTS NODE…
// Prints for each: the node, the heading of its page, and the widths of its picture.

import assert from "node:assert/strict";
import { join } from "node:path";

import { inBrowser, openEditor } from "./editor.mjs";

const [address, screenshots, ...nodes] = process.argv.slice(2);

await inBrowser(async (browser) => {
  const { page, errors } = await openEditor(browser, address, { isVue: true });
  /** @type {string[]} */
  const missing = [];
  page.on("response", (response) => {
    if (response.url().includes("/docs/") && !response.ok()) missing.push(response.url());
  });
  await page.keyboard.press("Escape");
  for (const node of nodes) {
    await page.evaluate((type) => {
      const { app, LiteGraph } = window;
      app.graph.clear();
      const added = LiteGraph.createNode(type);
      added.pos = [200, 300];
      app.graph.add(added);
      Object.assign(app.canvas.ds, { scale: 1, offset: [0, 0] });
      app.canvas.selectNode(added);
    }, node);
    await page.getByTestId("info-button").click();
    const picture = page.locator(`img[src*="/docs/"][src*="${node}"]`).first();
    await picture.waitFor();
    const widths = await picture.evaluate(async (element) => {
      const image = /** @type {HTMLImageElement} */ (element);
      await image.decode();
      return [image.naturalWidth, image.width];
    });
    const article = picture.locator("xpath=ancestor::*[.//h1][1]");
    const heading = await article.locator("h1").first().textContent();
    await page.screenshot({ path: join(screenshots, `${node}.png`) });
    console.log(JSON.stringify({ node, heading, widths }));
  }
  // The editor asks for a page in the reader's language first, and there is none.
  assert.deepEqual(missing.filter((url) => !/\/\w+\.md$/.test(url)), []);
  assert.deepEqual(errors.filter((text) => !text.includes(".md)")), []);
});
