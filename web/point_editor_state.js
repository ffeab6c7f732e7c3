// What the point editor knows, apart from the page: points and boxes on a picture, their
// text forms, what is under the pointer, undo, and the visible part of the picture.
// Pure functions on plain values; nothing here touches the page, and importing it does nothing.
//
// Places are whole pixels of the picture: a point is the pixel that was clicked, a box goes
// from its upper left corner over `width` × `height` pixels.

export const FOREGROUND = 1;
export const BACKGROUND = 0;
export const EMPTY = Object.freeze({ points: [], boxes: [] });

const MOST_ZOOM = 40;

// ---- what is set on a picture, and its text form
//
// parse and serialize: text → state and back; point and otherPoint: what a new point holds
// beside its place, by a plain and by a shifted or right click, null where that sets none;
// hasBoxes; number: what one types beside each point, or null.

export const PROMPTS = Object.freeze({
  parse,
  serialize,
  point: { label: FOREGROUND },
  otherPoint: { label: BACKGROUND },
  hasBoxes: true,
  number: null,
});

export const DISTANCES = Object.freeze({
  parse: parseDistances,
  serialize: serializeDistances,
  point: { metres: null },
  otherPoint: null,
  hasBoxes: false,
  number: { key: "metres", unit: "m", ask: "How many metres away is it?" },
});

// → {points: [{x, y, label}], boxes: [{x, y, width, height}]}; throws an Error of one sentence.
export function parse(text) {
  if (!text?.trim()) return EMPTY;
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error("The prompts are not valid JSON.");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new Error('The prompts are not of the form {"points": […], "boxes": […]}.');
  const points = readList(value, "points", ["x", "y"], (p) => ({ label: FOREGROUND, ...p }));
  const boxes = readList(value, "boxes", ["x", "y", "width", "height"], (box) => box);
  if (points.some(({ label }) => label !== FOREGROUND && label !== BACKGROUND))
    throw new Error("A point's label is neither 1 (foreground) nor 0 (background).");
  return { points, boxes };
}

export function serialize({ points, boxes }) {
  return JSON.stringify({ points, boxes });
}

// Lines of x, y and the distance, as the node reads them: anything but a number may stand
// between. A distance that is not known yet is left out. Or a JSON list of {x, y, metres}.
export function parseDistances(text) {
  if (text?.trim().startsWith("[")) return { points: parseList(text), boxes: [] };
  const points = [];
  for (const line of (text ?? "").split("\n")) {
    if (!line.trim()) continue;
    const [x, y, metres = null, ...rest] = (line.match(/[-+]?\d+\.?\d*|\.\d+/g) ?? []).map(Number);
    if (y === undefined || rest.length)
      throw new Error(`The line "${line.trim()}" is not of the form x, y, metres.`);
    points.push({ x, y, metres });
  }
  return { points, boxes: [] };
}

function parseList(text) {
  let points;
  try {
    points = JSON.parse(text);
  } catch {
    throw new Error("The points are not valid JSON.");
  }
  return readList({ points }, "points", ["x", "y"], (p) => ({ metres: null, ...p }));
}

export function serializeDistances({ points }) {
  return points.map(({ x, y, metres }) => `${x}, ${y}, ${metres ?? "?"}`).join("\n");
}

function readList(value, name, keys, complete) {
  const list = value[name] ?? [];
  if (!Array.isArray(list)) throw new Error(`"${name}" is not a list.`);
  return list.map((entry, i) => {
    if (keys.some((key) => !Number.isFinite(entry?.[key])))
      throw new Error(`Entry ${i} of "${name}" lacks a number among ${keys.join(", ")}.`);
    return complete(entry);
  });
}

// ---- editing: each gives a new state

// `more` is what the point holds beside its place.
export function addPoint(state, place, more, size) {
  return { ...state, points: [...state.points, { ...pixel(place, size), ...more }] };
}

export function changePoint(state, index, more) {
  return replace(state, "points", index, (p) => ({ ...p, ...more }));
}

// A box between two places, in any order; null where it has no area.
export function makeBox(from, to, size) {
  const a = corner(from, size);
  const b = corner(to, size);
  const box = {
    x: Math.min(a.x, b.x),
    y: Math.min(a.y, b.y),
    width: Math.abs(a.x - b.x),
    height: Math.abs(a.y - b.y),
  };
  return box.width && box.height ? box : null;
}

export function addBox(state, box) {
  return { ...state, boxes: [...state.boxes, box] };
}

// Move a point or a whole box, or pull a box by one corner; what would leave the picture
// stops at its edge. `item` is as hitTest gives it.
export function moveItem(state, item, dx, dy, size) {
  if (item.kind === "point")
    return replace(state, "points", item.index, (p) => ({
      ...p,
      ...pixel({ x: p.x + 0.5 + dx, y: p.y + 0.5 + dy }, size),
    }));
  return replace(state, "boxes", item.index, (box) =>
    item.grip === "all" ? shiftBox(box, dx, dy, size) : pullCorner(box, item.grip, dx, dy, size),
  );
}

export function isEmpty({ points, boxes }) {
  return !points.length && !boxes.length;
}

export function removeItem(state, item) {
  const list = item.kind === "point" ? "points" : "boxes";
  return { ...state, [list]: state[list].filter((_, i) => i !== item.index) };
}

function replace(state, list, index, change) {
  return { ...state, [list]: state[list].map((entry, i) => (i === index ? change(entry) : entry)) };
}

function shiftBox(box, dx, dy, size) {
  return {
    ...box,
    x: clamp(Math.round(box.x + dx), 0, Math.max(0, size.width - box.width)),
    y: clamp(Math.round(box.y + dy), 0, Math.max(0, size.height - box.height)),
  };
}

function pullCorner(box, grip, dx, dy, size) {
  const fixed = oppositeCorner(box, grip);
  const moved = cornerPlace(box, grip);
  return { ...box, ...(makeBox(fixed, { x: moved.x + dx, y: moved.y + dy }, size) ?? box) };
}

// The pixel that a place lies in.
function pixel({ x, y }, size) {
  return {
    x: clamp(Math.floor(x), 0, size.width - 1),
    y: clamp(Math.floor(y), 0, size.height - 1),
  };
}

// The crossing of pixel edges that a place is next to.
function corner({ x, y }, size) {
  return { x: clamp(Math.round(x), 0, size.width), y: clamp(Math.round(y), 0, size.height) };
}

// ---- finding

export function cornerPlace(box, grip) {
  return {
    x: grip.includes("w") ? box.x : box.x + box.width,
    y: grip.includes("n") ? box.y : box.y + box.height,
  };
}

function oppositeCorner(box, grip) {
  const opposite = { nw: "se", ne: "sw", sw: "ne", se: "nw" };
  return cornerPlace(box, opposite[grip]);
}

// What is at a place: {kind: "point", index}, {kind: "box", index, grip}, or null. The grip is
// a corner ("nw", "ne", "sw", "se") or "all" for an edge; the inside of a box is free, so that
// points can be set there. Of several the nearest counts, then the one that was added last.
export function hitTest({ points, boxes }, place, tolerance) {
  const found = [];
  points.forEach((p, index) => {
    const distance = Math.hypot(p.x + 0.5 - place.x, p.y + 0.5 - place.y);
    found.push({ distance, order: 0, item: { kind: "point", index } });
  });
  boxes.forEach((box, index) => {
    for (const grip of ["nw", "ne", "sw", "se"]) {
      const at = cornerPlace(box, grip);
      const distance = Math.hypot(at.x - place.x, at.y - place.y);
      found.push({ distance, order: 1, item: { kind: "box", index, grip } });
    }
    const item = { kind: "box", index, grip: "all" };
    found.push({ distance: edgeDistance(box, place), order: 2, item });
  });
  const near = found.filter(({ distance }) => distance <= tolerance);
  near.sort(
    (a, b) => a.order - b.order || a.distance - b.distance || b.item.index - a.item.index,
  );
  return near[0]?.item ?? null;
}

function edgeDistance(box, { x, y }) {
  const right = box.x + box.width;
  const bottom = box.y + box.height;
  const outside = Math.hypot(
    Math.max(box.x - x, 0, x - right),
    Math.max(box.y - y, 0, y - bottom),
  );
  return outside || Math.min(x - box.x, right - x, y - box.y, bottom - y);
}

// The next thing that is marked, in a circle: points, then boxes. `step` is 1 or -1.
export function stepItem({ points, boxes }, item, step) {
  const items = [
    ...points.map((_, index) => ({ kind: "point", index })),
    ...boxes.map((_, index) => ({ kind: "box", index, grip: "all" })),
  ];
  const at = items.findIndex(({ kind, index }) => kind === item?.kind && index === item.index);
  const next = at < 0 && step < 0 ? -1 : at + step;
  return items.at(next % items.length) ?? null;
}

// The middle of something that is marked.
export function itemPlace({ points, boxes }, { kind, index }) {
  if (kind === "point") return { x: points[index].x + 0.5, y: points[index].y + 0.5 };
  const { x, y, width, height } = boxes[index];
  return { x: x + width / 2, y: y + height / 2 };
}

// What the node refuses: points outside of the picture, and boxes of which nothing is inside.
export function countOutside({ points, boxes }, { width, height }) {
  const isIn = (p) => p.x >= 0 && p.y >= 0 && p.x <= width && p.y <= height;
  const meets = (b) => b.x < width && b.y < height && b.x + b.width > 0 && b.y + b.height > 0;
  return points.filter((p) => !isIn(p)).length + boxes.filter((b) => !meets(b)).length;
}

// ---- undo

export class History {
  constructor(present = EMPTY, most = 200) {
    this.present = present;
    this.most = most;
    this.past = [];
    this.future = [];
  }

  commit(state) {
    const before = this.present;
    if (!this.amend(state)) return false;
    this.past.push(before);
    if (this.past.length > this.most) this.past.shift();
    return true;
  }

  // Change the present without a step of its own, as the next letters of a word are typed.
  amend(state) {
    if (serialize(state) === serialize(this.present)) return false;
    this.present = state;
    this.future = [];
    return true;
  }

  undo() {
    return this.#step(this.past, this.future);
  }

  redo() {
    return this.#step(this.future, this.past);
  }

  #step(from, to) {
    if (!from.length) return false;
    to.push(this.present);
    this.present = from.pop();
    return true;
  }
}

// ---- the visible part of the picture: {x, y, width, height} in its pixels

export function wholeView(size) {
  return { x: 0, y: 0, width: size.width, height: size.height };
}

// `factor` > 1 comes nearer; the place stays where it is. Never beyond the whole picture.
export function zoomView(view, factor, place, size) {
  const width = clamp(view.width / factor, size.width / MOST_ZOOM, size.width);
  const scale = width / view.width;
  return insideView(
    {
      x: place.x - (place.x - view.x) * scale,
      y: place.y - (place.y - view.y) * scale,
      width,
      height: view.height * scale,
    },
    size,
  );
}

export function panView(view, dx, dy, size) {
  return insideView({ ...view, x: view.x + dx, y: view.y + dy }, size);
}

function insideView(view, size) {
  return {
    ...view,
    x: clamp(view.x, 0, size.width - view.width),
    y: clamp(view.y, 0, size.height - view.height),
  };
}

// With a place in the middle, as far as the picture reaches.
export function centreView(view, { x, y }, size) {
  return insideView({ ...view, x: x - view.width / 2, y: y - view.height / 2 }, size);
}

export function sameSize(a, b) {
  return a?.width === b?.width && a?.height === b?.height;
}

// Screen pixels a picture's pixel takes where `view` is shown as large as `rect` allows,
// in the middle and with its aspect kept (SVG's xMidYMid meet).
export function viewScale(rect, view) {
  return Math.min(rect.width / view.width, rect.height / view.height);
}

export function toPicture(clientX, clientY, rect, view) {
  const scale = viewScale(rect, view);
  const left = rect.left + (rect.width - view.width * scale) / 2;
  const top = rect.top + (rect.height - view.height * scale) / 2;
  return { x: view.x + (clientX - left) / scale, y: view.y + (clientY - top) / scale };
}

// Where a place of the picture is shown within `rect`, the other way round.
export function toScreen(place, rect, view) {
  const { x, y } = toPicture(0, 0, rect, view);
  const scale = viewScale(rect, view);
  return { x: (place.x - x) * scale, y: (place.y - y) * scale };
}

// ---- where the picture is

// What a Load Image widget says, such as "sub/a.png" or "a.png [output]", for the /view page.
export function fileOf(value) {
  const [, path, type = "input"] = /^(.*?)(?: \[(input|output|temp)\])?$/.exec(value);
  const cut = path.lastIndexOf("/");
  return { filename: path.slice(cut + 1), subfolder: path.slice(0, Math.max(cut, 0)), type };
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}
