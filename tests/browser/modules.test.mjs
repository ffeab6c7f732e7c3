// ComfyUI imports every script below web/, wherever it is: each must be harmless by itself.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { register } from "node:module";
import { test } from "node:test";

const WEB = new URL("../../web/", import.meta.url);
const SCRIPTS = readdirSync(WEB, { recursive: true, encoding: "utf8" })
  .map((path) => path.replaceAll("\\", "/"))
  .filter((path) => path.endsWith(".js"))
  .sort();

/** @type {string[]} */
const registered = [];
const app = {
  /** @param {Comfy.Extension} extension */
  registerExtension: ({ name }) => registered.push(name),
};
const api = { addEventListener: () => {} };
Object.assign(globalThis, { app, api });

// Stands in for the server's own scripts.
const HOOKS = `
  export async function resolve(specifier, context, next) {
    const name = /scripts[/](app|api)[.]js$/.exec(specifier)?.[1];
    if (!name) return next(specifier, context);
    const url = "data:text/javascript,export const " + name + " = globalThis." + name;
    return { url, shortCircuit: true };
  }`;
register(`data:text/javascript,${encodeURIComponent(HOOKS)}`);

test("there is nothing below web/ but scripts and help pages", () => {
  const others = readdirSync(WEB, { recursive: true, encoding: "utf8" }).filter((path) =>
    /\.(json|mjs|cjs|ts|test\.js)$/.test(path),
  );
  assert.deepEqual(others, []);
});

test("every script finds those of the server from the folder that it is served in", () => {
  for (const path of SCRIPTS) {
    const source = readFileSync(new URL(path, WEB), "utf8");
    for (const [, specifier] of source.matchAll(/from "(.*\/scripts\/.*)"/g)) {
      const { pathname } = new URL(specifier, `http://server/extensions/pack/${path}`);
      assert.match(pathname, /^\/scripts\/(app|api)\.js$/, `${path}: ${specifier}`);
    }
  }
});

test("importing all scripts registers the extensions and does not touch the page", async () => {
  assert.equal(typeof document, "undefined"); // to touch it is an error here
  for (const path of SCRIPTS) await import(new URL(path, WEB).href);
  assert.deepEqual(registered.sort(), [
    "dpt.load_checkpoint",
    "dpt.point_editor",
    "dpt.run_results",
    "dpt.stages_explorer",
  ]);
});
