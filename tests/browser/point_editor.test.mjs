// The logic of the point editor, without a page: node --test tests/browser/*.test.mjs

import assert from "node:assert/strict";
import { test } from "node:test";

import { History } from "../../web/point_editor/history.js";
import { hitTest } from "../../web/point_editor/hit_test.js";
import { parseImageFile } from "../../web/point_editor/image_file.js";
import {
  addBox,
  addPoint,
  centreOf,
  changePoint,
  countOutside,
  makeBox,
  moveMark,
  nextMark,
  NO_MARKS,
  removeMark,
} from "../../web/point_editor/marks.js";
import { describe, findProblem } from "../../web/point_editor/status.js";
import { DISTANCES, PROMPTS } from "../../web/point_editor/text_formats.js";
import {
  centreView,
  panView,
  sameSize,
  toPicture,
  toScreen,
  Viewport,
  viewScale,
  wholeView,
  zoomView,
} from "../../web/point_editor/viewport.js";

/** @import { Corner, MarkReference } from "../../web/point_editor/marks.js" */

const size = { width: 400, height: 300 };
const { parse, serialize } = PROMPTS;

test("text and state are the same thing", () => {
  let state = addPoint(NO_MARKS, { x: 10.7, y: 20.2 }, PROMPTS.newPoint, size);
  state = addPoint(state, { x: 30, y: 40 }, PROMPTS.alternatePoint, size);
  const box = makeBox({ x: 100, y: 90 }, { x: 50, y: 60 }, size);
  assert.ok(box);
  state = addBox(state, box);
  assert.deepEqual(parse(serialize(state)), state);
  assert.equal(
    serialize(state),
    '{"points":[{"x":10,"y":20,"label":1},{"x":30,"y":40,"label":0}],' +
      '"boxes":[{"x":50,"y":60,"width":50,"height":30}]}',
  );
});

test("text from elsewhere may leave things out", () => {
  assert.deepEqual(parse(""), NO_MARKS);
  assert.deepEqual(parse("{}"), NO_MARKS);
  assert.deepEqual(parse('{"points":[{"x":1.5,"y":2}]}').points, [{ label: 1, x: 1.5, y: 2 }]);
});

/** @type {[text: string, message: RegExp][]} */
const BAD_PROMPTS = [
  ["{", /not valid JSON/],
  ["[1]", /not of the form/],
  ['{"points": 3}', /"points" is not a list/],
  ['{"points": [{"x": 1}]}', /Entry 1 of "points" needs a number for each of x, y/],
  ['{"points": [{"x": 1, "y": 2, "label": 7}]}', /label is neither 1/],
  ['{"boxes": [{"x": 1, "y": 2, "width": "3", "height": 4}]}', /Entry 1 of "boxes"/],
  ['{"boxes": [null]}', /Entry 1 of "boxes"/],
];
for (const [text, message] of BAD_PROMPTS)
  test(`bad text is one sentence: ${text}`, () => assert.throws(() => parse(text), message));

test("distances are lines of numbers", () => {
  const { parse, serialize } = DISTANCES;
  let state = addPoint(NO_MARKS, { x: 10.7, y: 20.2 }, DISTANCES.newPoint, size);
  assert.equal(serialize(state), "10, 20, ?");
  assert.deepEqual(parse(serialize(state)), state);
  state = changePoint(state, 0, { metres: 2.5 });
  state = addPoint(state, { x: 30, y: 40 }, DISTANCES.newPoint, size);
  state = changePoint(state, 1, { metres: 0.75 });
  assert.equal(serialize(state), "10, 20, 2.5\n30, 40, 0.75");
  assert.deepEqual(parse(serialize(state)), state);
  const typed = parse("x=3.5 y=4: .5 m\n\n 7;8 ");
  assert.deepEqual(typed.points, [{ x: 3.5, y: 4, metres: 0.5 }, { x: 7, y: 8, metres: null }]);
  assert.deepEqual(parse("").points, []);
  assert.deepEqual(parse(undefined).points, []);
  assert.deepEqual(parse('[{"x": 1, "y": 2, "metres": 3}, {"x": 4, "y": 5}]').points, [
    { x: 1, y: 2, metres: 3 },
    { x: 4, y: 5, metres: null },
  ]);
  assert.throws(() => parse("[{]"), /not valid JSON/);
  assert.throws(() => parse('[{"x": 1}]'), /needs a number for each of x, y/);
  for (const text of ["5", "1, 2, 3, 4", "here"]) assert.throws(() => parse(text), /x, y, metres/);
});

test("points stay on the picture", () => {
  const state = addPoint(NO_MARKS, { x: 999, y: -3 }, PROMPTS.newPoint, size);
  assert.deepEqual(state.points[0], { x: 399, y: 0, label: 1 });
});

test("a box is drawn in any direction, cut at the picture, and never without area", () => {
  const wanted = { x: 0, y: 250, width: 20, height: 50 };
  assert.deepEqual(makeBox({ x: -9, y: 250 }, { x: 20, y: 900 }, size), wanted);
  assert.deepEqual(makeBox({ x: 20, y: 900 }, { x: -9, y: 250 }, size), wanted);
  assert.equal(makeBox({ x: 20, y: 30 }, { x: 20.2, y: 90 }, size), null);
});

test("moving", () => {
  const state = {
    points: [{ x: 10, y: 20, label: 0 }],
    boxes: [{ x: 50, y: 60, width: 40, height: 30 }],
  };
  /** @type {MarkReference} */
  const point = { kind: "point", index: 0 };
  /** @param {Corner | "edge"} handle @returns {MarkReference} */
  const box = (handle) => ({ kind: "box", index: 0, handle });
  assert.deepEqual(moveMark(state, point, 3, -50, size).points[0], { x: 13, y: 0, label: 0 });
  assert.deepEqual(moveMark(state, point, 0.4, 0.6, size).points[0], { x: 10, y: 21, label: 0 });
  const far = { x: 360, y: 0, width: 40, height: 30 };
  assert.deepEqual(moveMark(state, box("edge"), 999, -999, size).boxes[0], far);
  const pulled = { x: 45, y: 60, width: 45, height: 40 };
  assert.deepEqual(moveMark(state, box("sw"), -5, 10, size).boxes[0], pulled);
  const turned = { x: 90, y: 90, width: 10, height: 10 };
  assert.deepEqual(moveMark(state, box("nw"), 50, 40, size).boxes[0], turned);
  assert.deepEqual(moveMark(state, box("nw"), 40, 0, size).boxes[0], state.boxes[0]); // no area
  assert.deepEqual(state.points[0], { x: 10, y: 20, label: 0 }); // nothing is changed in place
});

test("what is under the pointer", () => {
  const state = {
    points: [{ x: 60, y: 60, label: 1 }, { x: 62, y: 60, label: 0 }],
    boxes: [{ x: 58, y: 55, width: 100, height: 80 }, { x: 200, y: 200, width: 50, height: 50 }],
  };
  /** @param {number} x @param {number} y */
  const at = (x, y, tolerance = 6) => hitTest(state, { x, y }, tolerance);
  assert.deepEqual(at(62.4, 60.5), { kind: "point", index: 1 }); // the nearer of two
  assert.deepEqual(at(60.6, 60.5), { kind: "point", index: 0 });
  assert.deepEqual(at(158, 134), { kind: "box", index: 0, handle: "se" });
  assert.deepEqual(at(200, 225), { kind: "box", index: 1, handle: "edge" });
  assert.deepEqual(at(196, 225), { kind: "box", index: 1, handle: "edge" }); // from outside too
  assert.equal(at(225, 225), null); // inside a box one can set points
  assert.equal(at(300, 20), null);
});

test("deleting", () => {
  const box = { x: 0, y: 0, width: 2, height: 2 };
  const state = { points: [{ x: 1, y: 1, label: 1 }], boxes: [box] };
  assert.deepEqual(removeMark(state, { kind: "point", index: 0 }).points, []);
  assert.deepEqual(removeMark(state, { kind: "box", index: 0, handle: "nw" }).boxes, []);
});

test("undo and redo", () => {
  const history = new History();
  const first = addPoint(NO_MARKS, { x: 1, y: 1 }, PROMPTS.newPoint, size);
  const second = addPoint(first, { x: 2, y: 2 }, PROMPTS.newPoint, size);
  assert.equal(history.undo(), false);
  assert.equal(history.commit(NO_MARKS), false); // no change, no step
  history.commit(first);
  history.commit(second);
  assert.ok(history.undo());
  assert.equal(history.present, first);
  assert.ok(history.redo());
  assert.equal(history.present, second);
  history.undo();
  history.commit(NO_MARKS);
  assert.equal(history.redo(), false); // a change ends what could be done again
  history.undo();
  assert.equal(history.present, first);
});

test("undo keeps a bounded number of steps", () => {
  const history = new History(NO_MARKS, 3);
  for (let x = 0; x < 9; x++) history.commit({ points: [{ x, y: 0, label: 1 }], boxes: [] });
  while (history.undo());
  assert.equal(history.present.points[0].x, 5);
});

test("typing is one step", () => {
  const history = new History();
  const point = addPoint(NO_MARKS, { x: 1, y: 1 }, DISTANCES.newPoint, size);
  history.commit(point);
  for (const metres of [2, 2.5]) history.amend(changePoint(point, 0, { metres }));
  assert.equal(history.present.points[0].metres, 2.5);
  assert.ok(history.undo());
  assert.deepEqual(history.present, NO_MARKS);
});

test("a click meets the same pixel at any size of the widget", () => {
  const view = wholeView(size);
  for (const rect of [
    { left: 7, top: 9, width: 400, height: 300 },
    { left: 7, top: 9, width: 200, height: 300 }, // bars above and below
    { left: -50, top: 9, width: 4000, height: 300 }, // bars at the sides
  ]) {
    const scale = viewScale(rect, view);
    const clientX = rect.left + rect.width / 2 + 100 * scale;
    const clientY = rect.top + rect.height / 2 - 30 * scale;
    const { x, y } = toPicture(clientX, clientY, rect, view);
    assert.ok(Math.hypot(x - 300, y - 120) < 1e-9);
    const back = toScreen({ x, y }, rect, view);
    assert.ok(Math.hypot(back.x - clientX, back.y - clientY) < 1e-9);
  }
});

test("zoom keeps the position under the pointer, the aspect, and the picture in sight", () => {
  const position = { x: 300, y: 120 };
  const rect = { left: 0, top: 0, width: 640, height: 480 };
  const view = zoomView(wholeView(size), 2, position, size);
  assert.equal(view.width / view.height, size.width / size.height);
  assert.equal(view.width, 200);
  assert.equal((position.x - view.x) / view.width, 300 / 400);
  assert.deepEqual(toPicture(480, 192, rect, view), position);
  assert.deepEqual(zoomView(view, 0.1, position, size), wholeView(size));
  assert.deepEqual(panView(view, 9999, -9999, size), { ...view, x: 200, y: 0 });
  let near = view;
  for (let i = 0; i < 50; i++) near = zoomView(near, 2, position, size);
  assert.ok(near.width >= 5);
});

test("what has fallen off a smaller picture is counted", () => {
  const state = {
    points: [{ x: 399, y: 299, label: 1 }, { x: 401, y: 0, label: 1 }, { x: -1, y: 0, label: 0 }],
    boxes: [
      { x: -5, y: 0, width: 500, height: 300 }, // is cut
      { x: 350, y: 0, width: 51, height: 3 },
      { x: 400, y: 0, width: 5, height: 3 },
    ],
  };
  assert.equal(countOutside(state, size), 3);
});

test("the file of a Load Image widget", () => {
  /** @param {string[]} parts */
  const file = (...[filename, subfolder, type]) => ({ filename, subfolder, type });
  assert.deepEqual(parseImageFile("a b.png"), file("a b.png", "", "input"));
  assert.deepEqual(parseImageFile("x/y/a.png"), file("a.png", "x/y", "input"));
  assert.deepEqual(parseImageFile("x/a.png [output]"), file("a.png", "x", "output"));
  assert.deepEqual(parseImageFile("a [1].png"), file("a [1].png", "", "input"));
});

test("a key steps through all marks and round again", () => {
  const box = { x: 10, y: 20, width: 30, height: 40 };
  const state = { points: [{ x: 1, y: 2 }, { x: 3, y: 4 }], boxes: [box] };
  /** @param {1 | -1} step */
  const walk = (step) => {
    const seen = [];
    let mark = nextMark(state, null, step);
    for (; mark && seen.length < 4; mark = nextMark(state, mark, step))
      seen.push(`${mark.kind} ${mark.index}`);
    return seen;
  };
  assert.deepEqual(walk(1), ["point 0", "point 1", "box 0", "point 0"]);
  assert.deepEqual(walk(-1), ["box 0", "point 1", "point 0", "box 0"]);
  assert.equal(nextMark(NO_MARKS, null, 1), null);
  assert.deepEqual(centreOf(state, { kind: "point", index: 1 }), { x: 3.5, y: 4.5 });
  assert.deepEqual(centreOf(state, { kind: "box", index: 0 }), { x: 25, y: 40 });
});

test("a position comes into the middle as far as the picture reaches", () => {
  const view = { x: 0, y: 0, width: 100, height: 75 };
  assert.deepEqual(centreView(view, { x: 200, y: 150 }, size), { ...view, x: 150, y: 112.5 });
  assert.deepEqual(centreView(view, { x: 399, y: 1 }, size), { ...view, x: 300, y: 0 });
  assert.deepEqual(centreView(wholeView(size), { x: 9, y: 9 }, size), wholeView(size));
});

test("sizes that are not known are the same", () => {
  assert.ok(sameSize(null, null));
  assert.ok(sameSize({ ...size }, size));
  assert.ok(!sameSize(null, size));
  assert.ok(!sameSize({ ...size, height: 1 }, size));
});

test("a viewport holds what is visible of one picture", () => {
  const viewport = new Viewport(size);
  assert.ok(!viewport.isZoomed);
  assert.deepEqual(viewport.centre, { x: 200, y: 150 });
  viewport.zoom(2, { x: 0, y: 0 });
  assert.ok(viewport.isZoomed);
  assert.deepEqual(viewport.view, { x: 0, y: 0, width: 200, height: 150 });
  viewport.pan(30, -30);
  assert.deepEqual(viewport.view, { x: 30, y: 0, width: 200, height: 150 });
  viewport.centreOn({ x: 200, y: 150 });
  assert.deepEqual(viewport.centre, { x: 200, y: 150 });
  viewport.showWhole();
  assert.deepEqual(viewport.view, wholeView(size));
  assert.ok(viewport.isOnPicture({ x: 0, y: 299.9 }));
  assert.ok(!viewport.isOnPicture({ x: 400, y: 0 }));
  assert.ok(!viewport.isOnPicture({ x: 0, y: -0.1 }));
});

test("the status line counts the marks and names what the node would refuse", () => {
  const box = { x: 10, y: 20, width: 30, height: 40 };
  const state = { points: [{ x: 1, y: 2, metres: null }, { x: 3, y: 4, metres: 5 }], boxes: [box] };
  assert.equal(describe(state, "help"), "2 points, 1 box — help");
  assert.equal(describe({ points: [], boxes: [box, box] }, "help"), "2 boxes — help");
  assert.equal(describe(NO_MARKS, "help"), "help");
  const { pointValue } = DISTANCES;
  assert.match(findProblem(state, size, pointValue) ?? "", /^1 point without a distance. How many/);
  assert.equal(findProblem(state, size, null), null);
  assert.equal(findProblem(state, null, null), null);
  const small = { width: 3, height: 3 };
  assert.match(findProblem(state, small, null) ?? "", /^2 marks lie outside this image: clear/);
  const one = { points: state.points.slice(1), boxes: [] };
  assert.match(findProblem(one, small, null) ?? "", /^1 mark lies outside this image: clear it/);
});

test("of a batch, the first image is shown and the editor says so", () => {
  assert.equal(describe(NO_MARKS, "help", 3), "image 1 of 3 — help");
  assert.equal(describe(NO_MARKS, "help", 1), "help");
});
