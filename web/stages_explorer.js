// The explorer below Visualize Stages: the last run's stages as pictures, and in every one of
// them what is similar to the place under the mouse. The tokens are fetched when the explorer
// is opened and dropped when it is closed or the node goes; nothing is queued again.

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { ARROWS, addElement, keepResults } from "./our_nodes.js";
import {
  cellAt,
  columnsFor,
  neighbour,
  paintColors,
  paintNumbers,
  readPack,
  similarity,
  toFloats,
} from "./stages_math.js";

const NODE = "DPTVisualizeStages";
const CLOSED_HEIGHT = 44;
const OPEN_HEIGHT = 680;
const LARGE_HEIGHT = 330;
const OPEN_WIDTH = 640;
const BEFORE_FIRST_RUN = "Run the workflow, then explore its stages here.";
const HELP = "Press on a place to compare with it, arrows move it. Keys 1–4 pick a stage.";

const STYLE = `
.dpt-stages { box-sizing: border-box; width: 100%; height: 100%; padding: 6px; outline: none;
  border-radius: 8px; background: var(--comfy-input-bg); color: var(--input-text);
  font: 12px/1.35 sans-serif; overflow: auto; user-select: none; }
.dpt-stages:focus-visible { outline: 1px solid currentColor; outline-offset: -1px; }
.dpt-stages .bar { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; }
.dpt-stages button { font: inherit; color: inherit; cursor: pointer; padding: 3px 10px;
  border: 1px solid var(--border-color); border-radius: 6px; background: var(--comfy-menu-bg); }
.dpt-stages button:disabled { opacity: 0.5; cursor: default; }
.dpt-stages button[aria-pressed="true"] { background: #ffc43d; border-color: #a87400; color: #222; }
.dpt-stages .status { opacity: 0.75; flex: 1 1 160px; }
.dpt-stages .body { display: none; margin-top: 6px; }
.dpt-stages.open .body { display: block; }
.dpt-stages .strip { display: grid; gap: 6px; }
.dpt-stages figure { margin: 0; min-width: 0; }
.dpt-stages .frame { position: relative; overflow: hidden; border-radius: 5px; cursor: crosshair;
  touch-action: none; outline: 1px solid transparent; }
.dpt-stages .chosen .frame { outline: 2px solid #ffc43d; }
.dpt-stages canvas { display: block; width: 100%; height: 100%; image-rendering: pixelated; }
.dpt-stages .smooth canvas { image-rendering: auto; }
.dpt-stages figcaption { overflow: hidden; white-space: nowrap; text-overflow: ellipsis; }
.dpt-stages figcaption small { opacity: 0.65; }
.dpt-stages .ring { position: absolute; width: 10px; height: 10px; margin: -7px 0 0 -7px;
  border: 2px solid #ffc43d; border-radius: 50%; box-shadow: 0 0 0 1px #000; display: none;
  pointer-events: none; }
.dpt-stages.similar .ring { display: block; }
.dpt-stages .large { margin-top: 8px; }
.dpt-stages .large .frame { margin: 0 auto; }
.dpt-stages .slider { display: flex; gap: 8px; align-items: center; margin-top: 6px; }
.dpt-stages .slider input { flex: 1; }
`;

/** A DOM element with properties and children. */
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** One picture with its caption: a canvas as large as the map, drawn larger by the browser. */
class View {
  constructor(isSmooth = false) {
    this.canvas = make("canvas");
    this.ring = make("div", { className: "ring" });
    this.frame = make("div", { className: isSmooth ? "frame smooth" : "frame" });
    this.frame.append(this.canvas, this.ring);
    this.caption = make("figcaption");
    this.element = make("figure", {}, this.caption, this.frame);
  }

  setCaption(label, note) {
    Object.assign(this, { label, note });
    this.caption.replaceChildren(label, " ", make("small", { textContent: note }));
    this.caption.title = `${label} ${note}`;
  }

  /** Draw pixels that `paint` writes as RGBA. */
  draw(columns, rows, paint) {
    if (this.canvas.width !== columns || this.canvas.height !== rows) {
      this.canvas.width = columns;
      this.canvas.height = rows;
    }
    const context = this.canvas.getContext("2d");
    const pixels = context.createImageData(columns, rows);
    paint(pixels.data);
    context.putImageData(pixels, 0, 0);
  }

  drawImage(image) {
    this.canvas.width = image.width;
    this.canvas.height = image.height;
    this.canvas.getContext("2d").drawImage(image, 0, 0);
  }

  placeRing({ x, y }) {
    this.ring.style.left = `${100 * x}%`;
    this.ring.style.top = `${100 * y}%`;
  }
}

class Explorer {
  constructor(node) {
    this.node = node;
    this.file = null; // where the last run's tokens are on the server
    this.request = null; // for what is shown or on its way
    this.isOpen = false;
    this.clear();
    this.build();
  }

  clear() {
    this.pack = null;
    this.floats = new Map();
    this.views = [];
    this.blocks = [];
    this.blockView = null;
    this.point = null; // x and y in 0 to 1, once a place was chosen
    this.chosen = null;
  }

  // ---- what is on the page

  build() {
    const button = (textContent, title, onclick) =>
      make("button", { type: "button", textContent, title, onclick });
    this.toggle = button("Explore", "Open or close the explorer", () => this.setOpen(!this.isOpen));
    this.toggle.disabled = true;
    this.toggle.setAttribute("aria-expanded", false);
    this.colors = button("Colors", "Back to the main components as colors (Esc)", () =>
      this.setPoint(null),
    );
    this.follow = button("Follow", "Compare with the place under the mouse without pressing", () => {
      const isOn = this.follow.getAttribute("aria-pressed") !== "true";
      this.follow.setAttribute("aria-pressed", isOn);
    });
    this.follow.setAttribute("aria-pressed", false);
    this.copy = button("Copy", "Copy this view to the clipboard as a PNG", () => this.copyPicture());
    this.status = make("span", { className: "status", textContent: BEFORE_FIRST_RUN });
    this.status.setAttribute("role", "status");
    this.tools = [this.colors, this.follow, this.copy];
    for (const tool of this.tools) tool.hidden = true;

    this.strip = make("div", { className: "strip" });
    this.large = new View();
    this.large.element.className = "large";
    this.watch(this.large);
    this.range = make("input", { type: "range", min: 1, max: 1, value: 1, title: "Block" });
    this.range.setAttribute("aria-label", "Block");
    this.range.oninput = () => this.showBlock();
    this.rangeText = make("span");
    const slider = make("div", { className: "slider" }, this.rangeText, this.range);
    this.body = make("div", { className: "body" }, this.strip, slider, this.large.element);
    this.root = make(
      "div",
      { className: "dpt-stages", tabIndex: -1 },
      make("style", { textContent: STYLE }),
      make("div", { className: "bar" }, this.toggle, ...this.tools, this.status),
      this.body,
    );
    this.root.setAttribute("role", "group");
    this.root.setAttribute("aria-label", "Explorer of the stages");
    this.root.addEventListener("keydown", (event) => this.press(event));
    // The graph below must not take these for the start of a drag or ask for its own menu.
    for (const name of ["pointerdown", "contextmenu", "dblclick"]) {
      this.root.addEventListener(name, (event) => event.stopPropagation());
    }
    this.root.addEventListener("pointerenter", () => {
      const isTyping = /^(INPUT|TEXTAREA)$/.test(document.activeElement?.tagName ?? "");
      if (this.isOpen && !isTyping) this.root.focus({ preventScroll: true, focusVisible: false });
    });
    this.root.addEventListener("pointerleave", () => {
      if (document.activeElement === this.root) this.root.blur();
    });
  }

  // ---- open, load, close

  /** Take note of where a run left its tokens; a file's name tells what is in it. */
  setFile(file) {
    const isHere = this.request !== null && file.filename === this.file.filename;
    this.file = file;
    this.toggle.disabled = false;
    if (!this.isOpen) this.say("");
    else if (!isHere) this.load();
    this.remember({ file });
  }

  setOpen(isOpen) {
    if (isOpen === this.isOpen) return;
    this.isOpen = isOpen;
    this.root.classList.toggle("open", isOpen);
    this.toggle.textContent = isOpen ? "Close" : "Explore";
    this.toggle.setAttribute("aria-expanded", isOpen);
    this.root.tabIndex = isOpen ? 0 : -1;
    for (const tool of this.tools) tool.hidden = !isOpen;
    const [width, height] = this.node.size;
    const [, least] = this.node.computeSize();
    if (isOpen) {
      this.node.setSize([Math.max(width, OPEN_WIDTH), Math.max(height, least)]);
      this.load();
    } else {
      this.drop();
      this.say("");
      this.node.setSize([width, least]);
    }
    this.node.graph?.setDirtyCanvas(true, true);
    this.remember({ isOpen });
  }

  async load() {
    this.request?.abort();
    const request = new AbortController();
    this.request = request;
    this.say("Loading …");
    try {
      const response = await api.fetchApi(`/view?${new URLSearchParams(this.file)}`, {
        signal: request.signal,
      });
      if (!response.ok) throw new Error("The last run's stages are gone; run the workflow again.");
      const pack = readPack(await response.arrayBuffer());
      const pictures = await Promise.all(
        [pack.photo, pack.depth].map((jpeg) =>
          createImageBitmap(new Blob([jpeg], { type: "image/jpeg" })),
        ),
      );
      if (request.signal.aborted) return;
      this.show(pack, ...pictures);
      for (const picture of pictures) picture.close();
    } catch (error) {
      if (request.signal.aborted) return;
      this.drop();
      this.say(error.message);
    }
  }

  /** Let go of everything that a run brought. */
  drop() {
    this.request?.abort();
    this.request = null;
    this.empty();
  }

  empty() {
    cancelAnimationFrame(this.frame);
    this.clear();
    this.strip.replaceChildren();
    this.large.canvas.width = this.large.canvas.height = 0;
    this.large.caption.replaceChildren();
    this.root.classList.remove("similar");
  }

  say(text) {
    this.status.textContent = text;
  }

  // ---- pictures

  show(pack, photo, depth) {
    const { point } = this;
    const chosen = this.views.indexOf(this.chosen);
    this.empty();
    this.pack = pack;
    this.blocks = pack.maps.filter((map) => map.kind === "block");
    this.aspect = Math.min(Math.max(photo.width / photo.height, 1 / 3), 3);

    const photoView = new View(true);
    photoView.drawImage(photo);
    photoView.setCaption("photo", "");
    const depthView = new View(true);
    depthView.drawImage(depth);
    depthView.setCaption("depth", "");
    const stages = pack.maps.filter((map) => map.kind !== "block").map((map) => this.viewOf(map));
    this.blockView = this.blocks.length ? this.viewOf(this.blocks[0]) : null;
    this.views = [photoView, ...stages, ...(this.blockView ? [this.blockView] : []), depthView];
    for (const view of this.views) this.watch(view);
    for (const view of [...this.views, this.large]) view.frame.style.aspectRatio = `${this.aspect}`;
    this.large.frame.style.maxWidth = `${Math.round(LARGE_HEIGHT * this.aspect)}px`;
    const columns = columnsFor(this.views.length, this.aspect, 2.6);
    this.strip.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`;
    this.strip.replaceChildren(...this.views.map((view) => view.element));

    this.range.max = this.blocks.length;
    this.range.value = Math.min(this.range.value, this.blocks.length);
    this.say(HELP);
    this.setPoint(point);
    this.showBlock();
    this.choose(this.views[chosen] ?? this.stageView(1));
  }

  viewOf(map) {
    const view = new View();
    view.map = map;
    view.setCaption(map.label, `${map.rows} × ${map.columns} · ${map.channels} ch`);
    return view;
  }

  stageView(number) {
    return this.views.find((view) => view.map?.label === `stage ${number}`);
  }

  showBlock() {
    if (!this.blockView) return;
    const map = this.blocks[this.range.value - 1];
    // Numbers of the block before are of no more use: one block's are in memory at a time.
    this.floats.delete(this.blockView.map);
    this.blockView.map = map;
    this.blockView.setCaption(map.label, map.note);
    this.rangeText.textContent = `${map.label} of ${this.blocks.length}`;
    this.draw(this.blockView);
    if (this.chosen === this.blockView) this.enlarge();
  }

  /** Draw a map: similarity to the point if there is one, else its colours. */
  draw(view) {
    const { map } = view;
    if (!map) return;
    view.draw(map.columns, map.rows, (rgba) => {
      if (!this.point) {
        paintColors(map.rgb, rgba);
        return;
      }
      let floats = this.floats.get(map);
      if (!floats) this.floats.set(map, (floats = toFloats(map.vectors)));
      const values = new Float32Array(map.rows * map.columns);
      similarity(floats, map.length, cellAt(map, this.point.x, this.point.y), values);
      paintNumbers(values, rgba);
    });
  }

  drawAll() {
    for (const view of this.views) this.draw(view);
    if (this.point) for (const view of [...this.views, this.large]) view.placeRing(this.point);
    this.enlarge();
  }

  setPoint(point) {
    this.point = point;
    this.root.classList.toggle("similar", point !== null);
    this.colors.setAttribute("aria-pressed", point === null);
    this.schedule();
  }

  /** Draw at most once a frame, however fast the mouse is. */
  schedule() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.pack && this.drawAll());
  }

  choose(view) {
    if (!view || view === this.large) return;
    this.chosen?.element.classList.remove("chosen");
    this.chosen = view;
    view.element.classList.add("chosen");
    this.enlarge();
  }

  enlarge() {
    if (!this.chosen) return;
    this.large.frame.classList.toggle("smooth", !this.chosen.map);
    this.large.drawImage(this.chosen.canvas);
    this.large.setCaption(this.chosen.label, this.chosen.note);
  }

  // ---- mouse and keys

  watch(view) {
    const { frame } = view;
    const place = (event) => {
      const box = frame.getBoundingClientRect();
      const within = (value) => Math.min(Math.max(value, 0), 1);
      this.setPoint({
        x: within((event.clientX - box.left) / box.width),
        y: within((event.clientY - box.top) / box.height),
      });
    };
    frame.addEventListener("pointerenter", () => this.choose(view));
    frame.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.pack) return;
      frame.setPointerCapture(event.pointerId);
      place(event);
    });
    frame.addEventListener("pointermove", (event) => {
      const isFollowing = this.follow.getAttribute("aria-pressed") === "true";
      if (this.pack && (isFollowing || frame.hasPointerCapture(event.pointerId))) place(event);
    });
  }

  press(event) {
    if (!this.pack || event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^[1-4]$/.test(event.key)) this.choose(this.stageView(event.key));
    else if (event.key === "Escape") this.setPoint(null);
    else if (!(event.key in ARROWS)) return;
    else if (event.target !== this.range) {
      this.movePoint(...ARROWS[event.key]);
      event.preventDefault(); // of scrolling
    }
    event.stopPropagation(); // these keys have other meanings on the graph
  }

  /** By cells of the chosen map, from the middle if there is no point yet. */
  movePoint(columns, rows) {
    const { map } = this.chosen.map ? this.chosen : this.stageView(1);
    this.setPoint(neighbour(map, this.point ?? { x: 0.5, y: 0.5 }, columns, rows));
  }

  // ---- copy

  async copyPicture() {
    if (!this.pack) return;
    const blob = await this.compose();
    try {
      await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
      this.say("Copied.");
    } catch {
      // Only pages served over https or from this computer may write to the clipboard.
      const link = make("a", { href: URL.createObjectURL(blob), download: "stages.png" });
      link.click();
      URL.revokeObjectURL(link.href);
      this.say("The clipboard is not open to this page, so the picture was downloaded.");
    }
  }

  /** The strip as one PNG. */
  async compose() {
    const [gap, label, wide] = [16, 26, 320];
    const high = Math.round(wide / this.aspect);
    const columns = columnsFor(this.views.length, this.aspect);
    const rows = Math.ceil(this.views.length / columns);
    const canvas = make("canvas", {
      width: gap + columns * (wide + gap),
      height: 44 + rows * (high + label + gap),
    });
    const context = canvas.getContext("2d");
    context.fillStyle = "#17171b";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.fillStyle = "#f4f4f6";
    context.font = "20px sans-serif";
    context.fillText(this.pack.title, gap, 30);
    context.font = "14px sans-serif";
    this.views.forEach((view, i) => {
      const left = gap + (i % columns) * (wide + gap);
      const top = 44 + Math.floor(i / columns) * (high + label + gap);
      context.fillStyle = "#f4f4f6";
      context.fillText(view.caption.textContent.trim(), left, top + 17, wide);
      context.imageSmoothingEnabled = !view.map;
      context.drawImage(view.canvas, left, top + label, wide, high);
      if (!this.point) return;
      context.strokeStyle = "#ffc43d";
      context.lineWidth = 2;
      context.beginPath();
      context.arc(left + this.point.x * wide, top + label + this.point.y * high, 6, 0, 7);
      context.stroke();
    });
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }

  // ---- across a reload of the page

  get key() {
    return `dpt.stages:${app.graph?.id ?? ""}:${this.node.id}`;
  }

  /** In the tab's own memory: a workflow carries nothing of a run. */
  remember(news) {
    sessionStorage.setItem(this.key, JSON.stringify({ ...this.recall(), ...news }));
  }

  recall() {
    return JSON.parse(sessionStorage.getItem(this.key) ?? "{}");
  }

  restore() {
    const { file, isOpen } = this.recall();
    if (!file) return;
    if (!this.file) this.setFile(file);
    this.setOpen(isOpen === true);
  }
}

const explorers = new WeakMap();

app.registerExtension({
  name: "dpt.stages_explorer",

  nodeCreated(node) {
    if (node.comfyClass !== NODE) return;
    const explorer = new Explorer(node);
    explorers.set(node, explorer);
    addElement(node, "dpt_stages", explorer.root, {
      selectOn: ["click"], // the pointer alone brings the focus, which would select the node
      getMinHeight: () => (explorer.isOpen ? OPEN_HEIGHT : CLOSED_HEIGHT),
    });
    keepResults(
      node,
      "dpt_stages",
      (file) => explorer.setFile(file),
      () => explorer.drop(),
    );
  },

  loadedGraphNode(node) {
    explorers.get(node)?.restore();
  },
});
