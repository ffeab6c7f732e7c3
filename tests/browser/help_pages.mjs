// Opens the help page of every node in a real server with a headless Chromium.
// node help_pages.mjs ADDRESS SCREENSHOTS NODE…
// Prints a line of JSON for each: the node, its page's heading and its pictures' widths.

import assert from "node:assert/strict";
import { join } from "node:path";

import { inBrowser, open } from "./page.mjs";

const [address, screenshots, ...nodes] = process.argv.slice(2);

await inBrowser(async (browser) => {
  const { page, errors } = await open(browser, address, { isVue: true });
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
    await picture.evaluate((image) => image.decode());
    const widths = await picture.evaluate(({ naturalWidth, width }) => [naturalWidth, width]);
    const article = picture.locator("xpath=ancestor::*[.//h1][1]");
    const heading = await article.locator("h1").first().textContent();
    await page.screenshot({ path: join(screenshots, `${node}.png`) });
    console.log(JSON.stringify({ node, heading, widths }));
  }
  // A page in the reader's language is asked for first, and there is none.
  assert.deepEqual(missing.filter((url) => !/\/\w+\.md$/.test(url)), []);
  assert.deepEqual(errors.filter((text) => !text.includes(".md)")), []);
});
