// One Chromium for many scripts: prints its address, for DPT_BROWSER, and ends with its input.

import { chromium, LAUNCH } from "./editor.mjs";

const server = await chromium.launchServer(LAUNCH);
console.log(server.wsEndpoint());
process.stdin.resume().on("end", () => server.close());
