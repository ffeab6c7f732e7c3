// The editor on Segment (points and boxes) and on Align Depth: points are set on the picture
// itself. What it edits is a text widget of the node, which the API and other nodes can set as
// well. The logic is in point_editor_state.js; here are the page, the events and the nodes.

import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import * as logic from "./point_editor_state.js";
import { ARROWS, addElement, after, allNodes, keepResults } from "./our_nodes.js";

// By node: what is set on the picture; the text widget for it, and whether that is shown too;
// the key of ours in the node's result; the least height in pixels; what to do, in a line.
const NODES = {
  DPTSegment: {
    form: logic.PROMPTS,
    text: "prompts",
    showsText: false,
    result: "dpt_segment",
    height: 360,
    title: "Points and boxes on the picture",
    help: "click: object · shift-click: not this · drag: box",
  },
  DPTAlignDepth: {
    form: logic.DISTANCES,
    text: "to.points", // there while `to` is points
    showsText: true,
    result: "dpt_align",
    height: 280,
    title: "Points of known distance on the picture",
    help: "click, then type the metres · drag: move · right-click: delete",
  },
};

const GRAB = 9; // pixels on the screen within which something is under the pointer
const DRAG = 4; // and after which a press is a drag
const COLOURS = { [logic.FOREGROUND]: "#2fbf5b", [logic.BACKGROUND]: "#e5484d" };
const BOX_COLOUR = "#f5a524";
const NUMBER_COLOUR = "#5b9dff";

const WITHOUT_PICTURE =
  "Connect a Load Image node, or run the workflow once: the picture then appears here.";
const LINKED = "The points come from another node.";

const STYLE = `
.dpt-points { display: flex; flex-direction: column; gap: 4px; box-sizing: border-box;
  width: 100%; height: 100%; min-height: 0; overflow: hidden; position: relative;
  font: 11px/1.4 sans-serif; color: var(--input-text); user-select: none; }
.dpt-points-bar { display: flex; gap: 3px; flex: none; }
.dpt-points-bar button { all: unset; box-sizing: border-box; min-width: 24px; height: 22px;
  padding: 0 6px; border-radius: 4px; text-align: center; line-height: 22px; cursor: pointer;
  background: var(--comfy-input-bg); }
.dpt-points-bar button:hover { filter: brightness(1.3); }
.dpt-points-bar button:focus-visible { outline: 1px solid currentColor; }
.dpt-points-bar button[disabled] { opacity: 0.35; pointer-events: none; }
.dpt-points-bar button[aria-pressed="false"] { opacity: 0.55; }
.dpt-points-bar .dpt-points-gap { flex: 1; }
.dpt-points-stage { position: relative; flex: 1; min-height: 0; border-radius: 4px;
  overflow: hidden; background: var(--comfy-input-bg); }
.dpt-points-stage svg { position: absolute; inset: 0; width: 100%; height: 100%;
  cursor: crosshair; touch-action: none; }
.dpt-points:focus-within .dpt-points-stage { box-shadow: inset 0 0 0 1px #5b9dff; }
.dpt-points-note { position: absolute; inset: 0; display: flex; align-items: center;
  justify-content: center; padding: 16px; text-align: center; pointer-events: none;
  background: color-mix(in srgb, var(--comfy-input-bg) 80%, transparent); }
.dpt-points-note:empty { display: none; }
.dpt-points-status { flex: none; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.dpt-points-status.dpt-points-wrong { white-space: normal;
  color: color-mix(in srgb, var(--error-text, #f44) 65%, var(--input-text)); }
.dpt-points-number { position: absolute; display: flex; align-items: center; gap: 2px;
  padding: 1px 5px; border-radius: 4px; background: #000c; color: #fff; font-size: 12px;
  transform: translateY(-50%); }
.dpt-points-number input { all: unset; width: 56px; text-align: right; color: #fff;
  border-bottom: 1px solid #fff8; user-select: text; appearance: textfield; }
.dpt-points-number input::-webkit-inner-spin-button { appearance: none; }
.dpt-points-number input::placeholder { color: #fffa; }
.dpt-points-keys { position: absolute; width: 1px; height: 1px; opacity: 0; border: 0; padding: 0;
  pointer-events: none; }
`;

class PointEditor {
  // `kind` is an entry of NODES. `onChange` gets the text after every change by the user,
  // `onLook` is called when the pointer comes in.
  constructor(kind, onChange, onLook) {
    this.kind = kind;
    this.form = kind.form;
    this.onChange = onChange;
    this.history = new logic.History();
    this.draft = null; // the state while something is dragged
    this.selected = null;
    this.gesture = null;
    this.size = null; // of the picture, in pixels
    this.view = null;
    this.problem = null;
    this.isLinked = false; // the text comes from another node
    this.wanted = { address: null, size: null }; // of the picture that is shown or on its way
    this.found = { address: null, size: null }; // of the masks
    this.#build(onLook);
    this.resizing = new ResizeObserver(() => this.#draw());
    this.#draw();
  }

  // ---- from the node

  // Show what the text says; there is nothing to undo then.
  setText(text) {
    this.problem = null;
    let state = logic.EMPTY;
    try {
      state = this.form.parse(text);
    } catch (error) {
      this.problem = error.message;
    }
    this.history = new logic.History(state);
    this.gesture = null;
    this.draft = null;
    this.selected = null;
    this.#draw();
  }

  setLinked(isLinked) {
    if (isLinked === this.isLinked) return;
    this.#cancel();
    this.isLinked = isLinked;
    this.selected = null;
    this.keys.disabled = isLinked;
    this.svg.style.pointerEvents = isLinked ? "none" : "";
    this.#draw();
  }

  // Show the picture at an address, or none; `size` where it is known to differ from the file's.
  setPicture(address, size = null) {
    if (address === this.wanted.address && logic.sameSize(size, this.wanted.size)) return;
    const wanted = { address, size };
    this.wanted = wanted;
    if (address === null) {
      this.#usePicture(null, null);
      return;
    }
    const image = new Image();
    image.onload = () => {
      if (this.wanted !== wanted) return; // another came meanwhile
      this.#usePicture(address, size ?? { width: image.naturalWidth, height: image.naturalHeight });
    };
    image.onerror = () => {
      if (this.wanted === wanted) this.#usePicture(null, null);
    };
    image.src = address;
  }

  // Show the outlines of the masks that were found, or none; `size` is that of their picture.
  setMasks(address, size = null) {
    this.found = { address, size };
    this.#showMasks();
  }

  start() {
    this.resizing.observe(this.svg);
  }

  // Let go of what takes memory; the host may keep the node itself, or put it back.
  stop() {
    this.resizing.disconnect();
    this.setPicture(null);
    this.setMasks(null);
  }

  // ---- the page

  #build(onLook) {
    this.root = element("div", "dpt-points");
    this.root.style.minHeight = `${this.kind.height}px`;
    this.root.dataset.captureWheel = "true"; // asks the Vue renderer for it, while in focus
    // An input of the page's own kind holds the focus: the host leaves Delete, Ctrl+Z and the
    // arrows to inputs, and would delete the node or undo in the graph otherwise.
    this.keys = element("input", "dpt-points-keys");
    this.keys.readOnly = true;
    this.keys.setAttribute("aria-label", this.kind.title);
    const bar = element("div", "dpt-points-bar");
    this.undoButton = button("↶", "Undo (Ctrl+Z)", () => this.#step("undo"));
    this.redoButton = button("↷", "Redo (Ctrl+Shift+Z)", () => this.#step("redo"));
    const deletes = "Delete the selected (Delete; n selects the next)";
    this.deleteButton = button("✕", deletes, () => this.#deleteSelected());
    this.clearButton = button("clear", "Delete all that is marked", () => {
      this.selected = null;
      this.#commit(logic.EMPTY);
    });
    this.masksButton = button("masks", "Show the masks of the last run", () => {
      this.masks.style.display = this.masks.style.display ? "" : "none";
      this.masksButton.setAttribute("aria-pressed", String(!this.masks.style.display));
    });
    this.masksButton.setAttribute("aria-pressed", "true");
    this.masksButton.disabled = true;
    const gap = element("span", "dpt-points-gap");
    const out = button("−", "Zoom out (-, or the wheel)", () => this.#zoom(1 / 1.5));
    const whole = button("fit", "Whole picture (0)", () => this.#showWhole());
    const nearer = button("+", "Zoom in (+, or the wheel)", () => this.#zoom(1.5));
    this.zoomButtons = [out, whole, nearer];
    bar.append(this.undoButton, this.redoButton, this.deleteButton, this.clearButton);
    bar.append(gap, ...(this.form.hasBoxes ? [this.masksButton] : []), ...this.zoomButtons);

    const stage = element("div", "dpt-points-stage");
    this.svg = shape("svg", { preserveAspectRatio: "xMidYMid meet" });
    this.picture = shape("image", { preserveAspectRatio: "none" });
    this.masks = shape("image", { preserveAspectRatio: "none", "pointer-events": "none" });
    this.marks = shape("g", {});
    this.svg.append(this.picture, this.masks, this.marks);
    this.note = element("div", "dpt-points-note");
    stage.append(this.svg, this.note);
    this.number = this.form.number ? this.#buildNumber() : null;
    if (this.number) stage.append(this.number.box);
    this.status = element("div", "dpt-points-status");
    this.status.setAttribute("role", "status");
    const style = element("style", "");
    style.textContent = STYLE;
    this.root.append(style, bar, stage, this.status, this.keys);

    const listen = (target, type, handler, options) =>
      target.addEventListener(type, handler.bind(this), options);
    listen(this.root, "pointerenter", onLook);
    // Nothing that happens here is meant for the graph below.
    listen(bar, "pointerdown", (event) => event.stopPropagation());
    listen(bar, "click", ({ detail, target }) => {
      const isByKeyboard = detail === 0;
      if (!isByKeyboard || target.disabled) this.#focus();
    });
    listen(this.svg, "pointerdown", this.#pressed);
    listen(this.svg, "mousedown", (event) => {
      event.preventDefault(); // or the focus would leave again
      this.#focus();
    });
    listen(this.svg, "pointermove", this.#moved);
    listen(this.svg, "pointerup", this.#released);
    listen(this.svg, "pointercancel", this.#cancel);
    listen(this.svg, "contextmenu", this.#secondary);
    listen(this.svg, "wheel", this.#turned, { passive: false });
    listen(this.keys, "keydown", this.#typed);
  }

  // What one types beside the selected point.
  #buildNumber() {
    const { key, unit, ask } = this.form.number;
    const input = element("input", "");
    Object.assign(input, { type: "number", min: 0, step: "any", placeholder: "?", title: ask });
    input.setAttribute("aria-label", ask);
    const box = element("label", "dpt-points-number");
    box.append(input, unit);
    box.style.display = "none";
    for (const type of ["pointerdown", "mousedown", "click", "wheel"])
      box.addEventListener(type, (event) => event.stopPropagation());
    let isTyping = false; // the first letter is a step that can be undone, the next are not
    input.addEventListener("focus", () => (isTyping = false));
    input.addEventListener("input", () => {
      const typed = input.value === "" ? null : Number(input.value);
      const { history, selected } = this;
      const isNew = history.present.points[selected.index][key] === null;
      const state = logic.changePoint(history.present, selected.index, { [key]: typed });
      if (isTyping || isNew ? history.amend(state) : history.commit(state)) this.#tell();
      isTyping = true;
      this.#draw();
    });
    input.addEventListener("keydown", (event) => {
      event.stopPropagation(); // the graph has shortcuts for letters and digits
      if (event.key === "Enter" || event.key === "Escape") this.#focus();
    });
    return { box, input, key };
  }

  #drawNumber(state, rect) {
    const { number, selected, view } = this;
    if (number === null) return;
    const point = selected && state.points[selected.index];
    number.box.style.display = point ? "" : "none";
    if (!point) return;
    const value = point[number.key];
    // What is being typed, "2." for example, may not be the number's own text.
    const typed = number.input.value === "" ? null : Number(number.input.value);
    if (typed !== value) number.input.value = value ?? "";
    const place = { x: point.x + 0.5, y: point.y + 0.5 };
    const { x, y } = logic.toScreen(place, { left: 0, top: 0, ...rect }, view);
    const isRight = x > rect.width / 2;
    number.box.style.top = `${y}px`;
    number.box.style.left = isRight ? "auto" : `${x + 14}px`;
    number.box.style.right = isRight ? `${rect.width - x + 14}px` : "auto";
  }

  #focus() {
    this.keys.focus({ preventScroll: true });
  }

  #usePicture(address, size) {
    this.#cancel();
    setHref(this.picture, address);
    const isSameSize = logic.sameSize(size, this.size);
    this.size = size;
    if (size === null) this.view = null;
    else if (!isSameSize || this.view === null) this.view = logic.wholeView(size);
    this.#showMasks();
    this.#draw();
  }

  #showMasks() {
    const { address, size } = this.found;
    const isThere = this.picture.getAttribute("href") === this.wanted.address;
    const fits = address !== null && isThere && logic.sameSize(size, this.size);
    setHref(this.masks, fits ? address : null);
    this.masksButton.disabled = !fits;
  }

  #draw() {
    const { history, size, view, isLinked } = this;
    const state = isLinked ? logic.EMPTY : (this.draft ?? history.present);
    this.undoButton.disabled = isLinked || !history.past.length;
    this.redoButton.disabled = isLinked || !history.future.length;
    this.deleteButton.disabled = this.selected === null;
    this.clearButton.disabled = isLinked || (logic.isEmpty(state) && this.problem === null);
    for (const zoomButton of this.zoomButtons) zoomButton.disabled = size === null;
    this.#drawStatus(state);
    this.note.textContent = isLinked ? LINKED : size === null ? WITHOUT_PICTURE : "";
    this.svg.style.visibility = size === null ? "hidden" : "";
    if (size === null) {
      if (this.number) this.number.box.style.display = "none";
      return;
    }

    this.svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);
    for (const layer of [this.picture, this.masks]) {
      layer.setAttribute("width", size.width);
      layer.setAttribute("height", size.height);
    }
    const rect = { width: this.svg.clientWidth, height: this.svg.clientHeight };
    if (!rect.width || !rect.height) return; // not on the page: drawn when it comes
    const pixel = 1 / logic.viewScale(rect, view); // a pixel of the screen, in the picture's
    const isSelected = (kind, index) =>
      this.selected?.kind === kind && this.selected.index === index;
    this.marks.replaceChildren(
      ...state.boxes.flatMap((box, i) => boxMarks(box, isSelected("box", i), pixel)),
      ...(this.gesture?.box ? boxMarks(this.gesture.box, true, pixel) : []),
      ...state.points.flatMap((point, i) => this.#pointMarks(point, isSelected("point", i), pixel)),
    );
    this.#drawNumber(state, rect);
  }

  #pointMarks(point, isSelected, pixel) {
    const { number } = this.form;
    if (number === null) return promptMarks(point, isSelected, pixel);
    const value = point[number.key];
    return numberMarks(point, value === null ? "?" : `${value} ${number.unit}`, isSelected, pixel);
  }

  #drawStatus(state) {
    const wrong = this.isLinked ? null : this.#whatIsWrong(state);
    const counts = [plural(state.points.length, "point"), plural(state.boxes.length, "box", "es")];
    const shown = counts.filter(Boolean).join(", ");
    const help = this.isLinked ? LINKED : [shown, this.kind.help].filter(Boolean).join(" — ");
    const text = wrong ?? help;
    if (this.status.textContent !== text) this.status.textContent = text; // it is read out
    this.status.classList.toggle("dpt-points-wrong", wrong !== null);
  }

  // In a sentence, or null.
  #whatIsWrong(state) {
    if (this.problem !== null) return this.problem;
    const outside = this.size === null ? 0 : logic.countOutside(state, this.size);
    if (outside) return `${outside} marked outside of this picture: clear, or set it anew.`;
    const { number } = this.form;
    const open = number ? state.points.filter((point) => point[number.key] === null).length : 0;
    return open ? `${plural(open, "point")} without a number: ${number.ask}` : null;
  }

  // ---- changes

  #commit(state) {
    this.draft = null;
    if (this.history.commit(state) || this.problem !== null) this.#tell();
    this.#draw();
  }

  #step(direction) {
    this.#cancel();
    this.selected = null;
    if (this.history[direction]()) this.#tell();
    this.#draw();
  }

  #tell() {
    this.problem = null;
    this.onChange(this.form.serialize(this.history.present));
  }

  #deleteSelected() {
    const item = this.selected;
    if (item === null) return;
    this.selected = null;
    this.#commit(logic.removeItem(this.history.present, item));
  }

  // `isOther`: by a shifted or right click.
  #addPoint(place, isOther) {
    const more = isOther ? this.form.otherPoint : this.form.point;
    if (more === null) return;
    const state = logic.addPoint(this.history.present, place, more, this.size);
    this.selected = { kind: "point", index: state.points.length - 1 };
    this.#commit(state);
    this.number?.input.focus({ preventScroll: true });
  }

  #cancel() {
    if (this.gesture === null && this.draft === null) return;
    this.gesture = null;
    this.draft = null;
    this.#draw();
  }

  // ---- zoom

  #zoom(factor, place = this.#middle()) {
    if (this.size === null) return;
    this.view = logic.zoomView(this.view, factor, place, this.size);
    this.#draw();
  }

  #showWhole() {
    if (this.size === null) return;
    this.view = logic.wholeView(this.size);
    this.#draw();
  }

  #middle() {
    const { x, y, width, height } = this.view;
    return { x: x + width / 2, y: y + height / 2 };
  }

  // ---- pointer

  #place(event) {
    const rect = this.svg.getBoundingClientRect();
    return logic.toPicture(event.clientX, event.clientY, rect, this.view);
  }

  #under(place) {
    // Through the rectangle on the screen, so that it is right when the graph is zoomed.
    const scale = logic.viewScale(this.svg.getBoundingClientRect(), this.view);
    return logic.hitTest(this.history.present, place, GRAB / scale);
  }

  #isZoomed() {
    return this.view.width < this.size.width;
  }

  #pressed(event) {
    if (this.size === null || (event.button === 1 && !this.#isZoomed())) return; // the graph's
    event.stopPropagation();
    if (event.button > 1) return;
    const start = this.#place(event);
    const press = { start, screen: [event.clientX, event.clientY], dragged: false, box: null };
    if (event.button === 1) this.gesture = { ...press, kind: "pan" };
    else {
      const item = this.#under(start);
      this.selected = item;
      const isOther = event.shiftKey && this.form.otherPoint !== null;
      this.gesture = { ...press, kind: item ? "move" : "draw", item, isOther };
    }
    this.svg.setPointerCapture(event.pointerId);
    this.#draw();
  }

  #moved(event) {
    const { gesture } = this;
    if (gesture === null) {
      if (this.size !== null) this.#showCursor(this.#under(this.#place(event)));
      return;
    }
    event.stopPropagation();
    const [x, y] = gesture.screen;
    gesture.dragged ||= Math.hypot(event.clientX - x, event.clientY - y) > DRAG;
    if (!gesture.dragged) return;
    const place = this.#place(event);
    const [dx, dy] = [place.x - gesture.start.x, place.y - gesture.start.y];
    if (gesture.kind === "pan") this.view = logic.panView(this.view, -dx, -dy, this.size);
    else if (gesture.kind === "draw" && this.form.hasBoxes)
      gesture.box = logic.makeBox(gesture.start, place, this.size);
    else if (gesture.kind === "draw") gesture.start = place; // the point is where one lets go
    else this.draft = logic.moveItem(this.history.present, gesture.item, dx, dy, this.size);
    this.#draw();
  }

  #released(event) {
    const { gesture, draft } = this;
    if (gesture === null) return;
    event.stopPropagation();
    this.gesture = null;
    if (gesture.kind === "move" && draft) this.#commit(draft);
    else if (gesture.kind === "draw" && gesture.box) {
      const state = logic.addBox(this.history.present, gesture.box);
      this.selected = { kind: "box", index: state.boxes.length - 1 };
      this.#commit(state);
    } else if (gesture.kind === "draw" && this.#setsPoint(gesture))
      this.#addPoint(gesture.start, gesture.isOther);
    else this.#draw();
  }

  #setsPoint({ dragged, start }) {
    return (!dragged || !this.form.hasBoxes) && this.#isOnPicture(start);
  }

  // The right button, or what stands for it: deletes what is there, or sets a background point.
  #secondary(event) {
    event.preventDefault();
    event.stopPropagation();
    if (this.size === null) return;
    this.#cancel();
    const place = this.#place(event);
    this.selected = this.#under(place);
    if (this.selected) this.#deleteSelected();
    else if (this.#isOnPicture(place)) this.#addPoint(place, true);
    this.#draw();
  }

  // The wheel is the graph's until one has clicked into the editor.
  #turned(event) {
    if (this.size === null || document.activeElement !== this.keys) return;
    event.preventDefault();
    event.stopPropagation();
    this.#zoom(Math.exp(-event.deltaY / 400), this.#place(event));
  }

  #isOnPicture({ x, y }) {
    return x >= 0 && y >= 0 && x < this.size.width && y < this.size.height;
  }

  #showCursor(item) {
    const cursors = { nw: "nwse-resize", se: "nwse-resize", ne: "nesw-resize", sw: "nesw-resize" };
    this.svg.style.cursor = item ? (cursors[item.grip] ?? "move") : "crosshair";
  }

  // ---- keyboard

  #typed(event) {
    if (this.#handleKey(event)) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  #handleKey({ key, ctrlKey, metaKey, altKey, shiftKey }) {
    if (ctrlKey || metaKey) {
      const letter = key.toLowerCase();
      const direction = { z: shiftKey ? "redo" : "undo", y: "redo" }[letter];
      if (direction && !altKey) this.#step(direction);
      return Boolean(direction);
    }
    if (this.size === null || altKey) return false;
    if (key in ARROWS) this.#nudge(...ARROWS[key], shiftKey ? 10 : 1);
    else if (key === "Delete" || key === "Backspace") this.#deleteSelected();
    else if (key === "Enter") this.#addPoint(this.#middle(), shiftKey);
    else if (key.toLowerCase() === "n") this.#selectNext(shiftKey ? -1 : 1);
    else if (this.number && this.selected && /^[\d.]$/.test(key)) {
      this.number.input.focus({ preventScroll: true }); // it gets the digit
      this.number.input.select();
      return false;
    } else if (key === "+" || key === "=") this.#zoom(1.5);
    else if (key === "-") this.#zoom(1 / 1.5);
    else if (key === "0") this.#showWhole();
    else if (key === "Escape") {
      this.#cancel();
      this.selected = null;
      this.#draw();
    } else return false;
    return true;
  }

  #selectNext(step) {
    const { history, selected, size } = this;
    this.#cancel();
    this.selected = logic.stepItem(history.present, selected, step);
    if (this.selected) {
      const place = logic.itemPlace(history.present, this.selected);
      this.view = logic.centreView(this.view, place, size);
    }
    this.#draw();
  }

  #nudge(dx, dy, steps) {
    const { selected, size } = this;
    if (selected) {
      const whole = { ...selected, grip: "all" };
      this.#commit(logic.moveItem(this.history.present, whole, dx * steps, dy * steps, size));
    } else {
      const step = (this.view.width / 40) * steps;
      this.view = logic.panView(this.view, dx * step, dy * step, size);
      this.#draw();
    }
  }
}

// ---- pieces of the page

function element(tag, className) {
  return Object.assign(document.createElement(tag), { className });
}

function button(text, title, onClick) {
  const made = element("button", "");
  Object.assign(made, { type: "button", textContent: text, title });
  made.setAttribute("aria-label", title);
  made.addEventListener("click", onClick);
  return made;
}

function shape(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function setHref(image, address) {
  if (address === image.getAttribute("href")) return; // or it would be loaded again
  if (address === null) image.removeAttribute("href");
  else image.setAttribute("href", address);
}

function plural(count, noun, ending = "s") {
  return count ? `${count} ${noun}${count === 1 ? "" : ending}` : "";
}

// `pixel` is the length of a screen pixel in the picture's pixels: marks keep their size.
function numberMarks({ x, y }, text, isSelected, pixel) {
  const [cx, cy] = [x + 0.5, y + 0.5];
  const white = { stroke: "#fff", "stroke-width": (isSelected ? 2.5 : 1.5) * pixel };
  const r = (isSelected ? 6 : 5) * pixel;
  const marks = [
    shape("circle", { cx, cy, r, fill: NUMBER_COLOUR, ...white }),
    shape("circle", { cx, cy, r: 1.2 * pixel, fill: "#fff" }),
  ];
  if (isSelected) return marks; // what is typed stands there instead
  const label = shape("text", {
    ...{ x: cx + 10 * pixel, y: cy + 4 * pixel, "font-size": 12 * pixel, fill: "#fff" },
    ...{ stroke: "#000b", "stroke-width": 3 * pixel, "paint-order": "stroke" },
    ...{ "font-family": "sans-serif", "pointer-events": "none" },
  });
  label.textContent = text;
  return [...marks, label];
}

function promptMarks({ x, y, label }, isSelected, pixel) {
  const [cx, cy, arm] = [x + 0.5, y + 0.5, 3.5 * pixel];
  const upright = label === logic.FOREGROUND ? ` M ${cx} ${cy - arm} v ${2 * arm}` : "";
  const sign = `M ${cx - arm} ${cy} h ${2 * arm}${upright}`;
  const white = { stroke: "#fff", "stroke-width": (isSelected ? 2.5 : 1.5) * pixel };
  const r = (isSelected ? 9 : 7) * pixel;
  return [
    shape("circle", { cx, cy, r, fill: COLOURS[label], ...white }),
    shape("path", { d: sign, stroke: "#fff", "stroke-width": 1.8 * pixel }),
  ];
}

function boxMarks(box, isSelected, pixel) {
  const { x, y, width, height } = box;
  const outline = { fill: "none", stroke: BOX_COLOUR, "stroke-width": 2 * pixel };
  const marks = [shape("rect", { x, y, width, height, ...outline })];
  if (!isSelected) return marks;
  const half = 4 * pixel;
  for (const grip of ["nw", "ne", "sw", "se"]) {
    const at = logic.cornerPlace(box, grip);
    const square = { x: at.x - half, y: at.y - half, width: 2 * half, height: 2 * half };
    marks.push(shape("rect", { ...square, fill: "#fff", stroke: BOX_COLOUR, "stroke-width": pixel }));
  }
  return marks;
}

// ---- the node

// The address of the picture that a Load Image node feeds in, or null: only there is the file
// what the node gets, at the same size, before anything has run.
function upstreamAddress(node) {
  const slot = node.inputs?.findIndex(({ name }) => name === "image") ?? -1;
  const source = slot < 0 ? null : node.getInputNode(slot);
  if (source?.comfyClass !== "LoadImage") return null;
  const value = source.widgets?.find(({ name }) => name === "image")?.value;
  return typeof value === "string" && value ? fileAddress(logic.fileOf(value)) : null;
}

function fileAddress(file) {
  return api.apiURL(`/view?${new URLSearchParams(file)}`);
}

function attachEditor(node, kind) {
  const findText = () => node.widgets.find(({ name }) => name === kind.text);
  if (!kind.showsText) {
    const text = findText();
    text.hidden = true; // in classic rendering
    text.options.hidden = true; // in Vue
  }

  let lastRun = null;
  let atStart; // the picture upstream when a run began
  const editor = new PointEditor(kind, setText, refresh);
  addElement(node, "dpt_point_editor", editor.root, {
    getMinHeight: () => (findText() ? kind.height : 0),
  });

  let seen = findText()?.value;

  function setText(value) {
    const text = findText();
    seen = value;
    app.canvas.emitBeforeChange?.(); // so that the graph's own undo and autosave see it
    text.value = value;
    text.callback?.(value);
    app.canvas.emitAfterChange?.();
    node.setDirtyCanvas(true, true);
  }

  // Take over what has changed elsewhere: the text, the connection, the chosen file.
  function refresh() {
    if (!node.graph) return; // it went meanwhile
    const text = findText();
    // Not by widget.hidden, which the Vue renderer only looks at now and then.
    editor.root.style.display = text === undefined ? "none" : "";
    if (text === undefined) return;
    if (text.value !== seen) {
      seen = text.value;
      editor.setText(seen);
    }
    editor.setLinked(node.inputs.some(({ name, link }) => name === kind.text && link != null));
    const upstream = upstreamAddress(node);
    if (upstream !== null) editor.setPicture(upstream);
    else if (lastRun !== null) editor.setPicture(fileAddress(lastRun.image), lastRun.size);
    else editor.setPicture(null);
    const isOfThis = lastRun?.masks && lastRun.upstream === upstream;
    editor.setMasks(isOfThis ? fileAddress(lastRun.masks) : null, lastRun?.size);
  }

  function show(result) {
    lastRun = result;
    // Kept within what the host keeps, for the next node that shows this.
    if (!("upstream" in result))
      result.upstream = atStart === undefined ? upstreamAddress(node) : atStart;
    refresh();
  }

  // The choice that the text widget comes and goes with.
  const choice = node.widgets.find(({ name }) => kind.text.startsWith(`${name}.`));
  if (choice) after(choice, "callback", () => queueMicrotask(refresh));
  after(node, "onConfigure", () => {
    refresh();
    queueMicrotask(refresh); // by then the choice has its widgets
  });
  after(node, "onConnectionsChange", () => queueMicrotask(refresh));
  after(node, "onExecutionStart", () => (atStart = upstreamAddress(node)));
  after(node, "onAdded", () => {
    editor.start();
    refresh();
  });
  keepResults(node, kind.result, show, () => editor.stop());
  refreshers.set(node, refresh);
  editor.setText(seen);
}

const refreshers = new WeakMap(); // by node

api.addEventListener("graphChanged", () => {
  for (const node of allNodes()) refreshers.get(node)?.();
});

app.registerExtension({
  name: "dpt.point_editor",
  nodeCreated(node) {
    const kind = NODES[node.comfyClass];
    if (kind) attachEditor(node, kind);
  },
});
