// The logic of the stages explorer, without a page: node --test tests/browser/*.test.mjs

import assert from "node:assert/strict";
import { test } from "node:test";

import { paintRgb, paintValues } from "../../web/stages_explorer/colours.js";
import { cellAt, neighbour, similarity } from "../../web/stages_explorer/feature_map.js";
import { columnsFor, fitOnMat } from "../../web/stages_explorer/grid_layout.js";
import { halfToFloat, readStageFile } from "../../web/stages_explorer/stage_file.js";

/**
 * A file as the node writes it.
 *
 * @param {(typeof FULL)[]} maps
 */
function makeFile(maps, { version = 1 } = {}) {
  /** @type {Buffer[]} */
  const parts = [];
  let length = 0;
  /** @param {Uint8Array | Uint16Array} array */
  const add = (array) => {
    const bytes = Buffer.from(array.buffer, array.byteOffset, array.byteLength);
    const padded = Buffer.concat([bytes, Buffer.alloc((8 - (bytes.length % 8)) % 8)]);
    parts.push(padded);
    length += padded.length;
    return length - padded.length;
  };
  const photo = { offset: add(Uint8Array.of(1, 2, 3)), length: 3 };
  const depth = { offset: add(Uint8Array.of(4, 5)), length: 2 };
  const colormap = { offset: add(Uint8Array.of(0, 0, 0, 9, 8, 7)), length: 6 };
  const entries = maps.map(({ vectors, rgb, ...rest }) => ({
    ...rest,
    vectors: add(Uint16Array.from(vectors)),
    rgb: add(Uint8Array.from(rgb)),
  }));
  const title = "a model";
  let header = JSON.stringify({ version, title, photo, depth, colormap, maps: entries });
  header = header.padEnd(Math.ceil(header.length / 8) * 8);
  const start = Buffer.alloc(8);
  start.write("DPTS");
  start.writeUInt32LE(header.length, 4);
  const whole = Buffer.concat([start, Buffer.from(header), ...parts]);
  return whole.buffer.slice(whole.byteOffset, whole.byteOffset + whole.length);
}

const MAP = { label: "stage 1", kind: "stage", rows: 1, columns: 2, length: 2, channels: 9 };
const FULL = { ...MAP, vectors: [0x3c00, 0, 0, 0x3c00], rgb: [1, 2, 3, 4, 5, 6] };

test("a file is read as it was written", () => {
  const file = readStageFile(makeFile([FULL]));
  assert.equal(file.title, "a model");
  assert.deepEqual([...file.photo], [1, 2, 3]);
  assert.deepEqual([...file.depth], [4, 5]);
  assert.deepEqual([...file.colourMap], [0, 0, 0, 9, 8, 7]);
  const [map] = file.maps;
  assert.deepEqual([map.label, map.rows, map.columns, map.channels], ["stage 1", 1, 2, 9]);
  assert.deepEqual([...halfToFloat(map.vectors)], [1, 0, 0, 1]);
  assert.deepEqual([...map.rgb], [1, 2, 3, 4, 5, 6]);
});

test("another kind of file, one cut off and one of another version are told apart", () => {
  const page = new TextEncoder().encode("<html>not found</html>").buffer;
  assert.throws(() => readStageFile(page), /did not send any stages/);
  assert.throws(() => readStageFile(new ArrayBuffer(2)), /did not send any stages/);
  const whole = makeFile([FULL]);
  assert.throws(() => readStageFile(whole.slice(0, whole.byteLength - 8)), /cut off/);
  assert.throws(() => readStageFile(whole.slice(0, 20)), /cut off/);
  assert.throws(() => readStageFile(makeFile([FULL], { version: 2 })), /another version/);
});

test("half floats", () => {
  const halves = Uint16Array.of(0x0000, 0x8000, 0x3555, 0xc000, 0x7bff, 0x0001, 0x0400, 0x7c00);
  const floats = halfToFloat(halves);
  const expected = [0, -0, 0.333251953125, -2, 65504, 2 ** -24, 2 ** -14, Infinity];
  expected.forEach((value, i) => assert.equal(floats[i], value));
  assert.ok(Number.isNaN(halfToFloat(Uint16Array.of(0x7e00))[0]));
});

test("positions fall into cells, the far edges too", () => {
  const map = { rows: 3, columns: 4 };
  assert.equal(cellAt(map, 0, 0), 0);
  assert.equal(cellAt(map, 0.3, 0.5), 4 + 1);
  assert.equal(cellAt(map, 1, 1), 11);
  assert.equal(cellAt(map, -0.5, 2), 8);
});

test("similarity is the cosine of unit vectors", () => {
  const third = Math.fround(1 / 3);
  const vectors = Float32Array.of(1, 0, 0, 0, 1, 0, -1, 0, 0, 2 * third, 2 * third, third);
  const out = new Float32Array(4);
  similarity(vectors, 3, 0, out);
  assert.deepEqual([...out], [1, 0, -1, 2 * third]);
  similarity(vectors, 3, 3, out);
  assert.ok(Math.abs(out[3] - 1) < 1e-6);
});

test("a whole 37 × 37 grid in every stage fits into a frame many times", () => {
  const count = 37 * 37;
  const vectors = Float32Array.from({ length: count * 64 }, (_, i) => Math.sin(i) / 8);
  const out = new Float32Array(count);
  const rgba = new Uint8ClampedArray(4 * count);
  const colourMap = new Uint8Array(3 * 256);
  const draw = () => {
    for (let map = 0; map < 6; map++) {
      similarity(vectors, 64, 700, out);
      paintValues(out, colourMap, rgba);
    }
  };
  draw();
  const start = performance.now();
  for (let i = 0; i < 10; i++) draw();
  const each = (performance.now() - start) / 10;
  assert.ok(each < 33, `one move of the mouse took ${each.toFixed(1)} ms`);
});

test("a step goes from the middle of a cell to that of the next, and not out of the map", () => {
  const map = { rows: 2, columns: 4 };
  const middle = { x: 0.5, y: 0.5 };
  assert.deepEqual(neighbour(map, middle, -1, 0), { x: 0.375, y: 0.75 });
  assert.deepEqual(neighbour(map, middle, 0, -1), { x: 0.625, y: 0.25 });
  assert.deepEqual(neighbour(map, middle, 1, 1), { x: 0.875, y: 0.75 });
  assert.deepEqual(neighbour(map, { x: 1, y: 0 }, 1, -1), { x: 0.875, y: 0.25 });
});

test("numbers take the colours of the colour map, and stop at 0 and 1", () => {
  const rgba = new Uint8ClampedArray(20);
  const colourMap = Uint8Array.of(1, 2, 3, 40, 50, 60, 255, 254, 253);
  paintValues(Float32Array.of(-1, 0, 0.5, 1, 7), colourMap, rgba);
  /** @param {number} i */
  const color = (i) => [...rgba.subarray(4 * i, 4 * i + 4)];
  assert.deepEqual(color(0), color(1));
  assert.deepEqual(color(3), color(4));
  assert.deepEqual(color(1), [1, 2, 3, 255]);
  assert.deepEqual(color(2), [40, 50, 60, 255]);
  assert.deepEqual(color(3), [255, 254, 253, 255]);
});

test("RGB becomes RGBA", () => {
  const rgba = new Uint8ClampedArray(8);
  paintRgb(Uint8Array.of(1, 2, 3, 4, 5, 6), rgba);
  assert.deepEqual([...rgba], [1, 2, 3, 255, 4, 5, 6, 255]);
});

test("pictures are laid out without holes where that is possible", () => {
  assert.equal(columnsFor(8, 1.5, 2.6), 4);
  assert.equal(columnsFor(6, 1.5), 3);
  assert.equal(columnsFor(1, 1), 1);
  for (let count = 1; count < 12; count++) assert.ok(columnsFor(count, 1.5) <= count);
});

test("a picture keeps its aspect on a mat that is never longer than 1:3 or 6:1", () => {
  assert.deepEqual(fitOnMat(1.5), { matAspect: 1.5, width: 1, height: 1 });
  assert.deepEqual(fitOnMat(12), { matAspect: 6, width: 1, height: 0.5 });
  const tall = fitOnMat(1 / 6);
  assert.equal(tall.height, 1);
  for (const aspect of [1 / 6, 1 / 3, 1, 3, 6, 12]) {
    const { matAspect, width, height } = fitOnMat(aspect);
    assert.ok(Math.abs((width * matAspect) / height - aspect) < 1e-9, `${aspect}`);
  }
});
