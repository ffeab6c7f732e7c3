// node --test tests/browser/

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

// The file has no package.json beside it, so Node is told by the address that it is a module.
const source = readFileSync(new URL("../../web/stages_math.js", import.meta.url));
const {
  cellAt,
  columnsFor,
  neighbour,
  paintColors,
  paintNumbers,
  readPack,
  similarity,
  toFloats,
} = await import(`data:text/javascript;base64,${source.toString("base64")}`);

/** A pack as the node writes it. */
function makePack(maps, { version = 1 } = {}) {
  const parts = [];
  let length = 0;
  const add = (array) => {
    const bytes = Buffer.from(array.buffer, array.byteOffset, array.byteLength);
    const padded = Buffer.concat([bytes, Buffer.alloc((8 - (bytes.length % 8)) % 8)]);
    parts.push(padded);
    length += padded.length;
    return length - padded.length;
  };
  const photo = { offset: add(Uint8Array.of(1, 2, 3)), length: 3 };
  const depth = { offset: add(Uint8Array.of(4, 5)), length: 2 };
  const entries = maps.map(({ vectors, rgb, ...rest }) => ({
    ...rest,
    vectors: add(Uint16Array.from(vectors)),
    rgb: add(Uint8Array.from(rgb)),
  }));
  let header = JSON.stringify({ version, title: "a model", photo, depth, maps: entries });
  header = header.padEnd(Math.ceil(header.length / 8) * 8);
  const start = Buffer.alloc(8);
  start.write("DPTS");
  start.writeUInt32LE(header.length, 4);
  const whole = Buffer.concat([start, Buffer.from(header), ...parts]);
  return whole.buffer.slice(whole.byteOffset, whole.byteOffset + whole.length);
}

const MAP = { label: "stage 1", kind: "stage", rows: 1, columns: 2, length: 2, channels: 9 };
const FULL = { ...MAP, vectors: [0x3c00, 0, 0, 0x3c00], rgb: [1, 2, 3, 4, 5, 6] };

test("a pack is read as it was written", () => {
  const pack = readPack(makePack([FULL]));
  assert.equal(pack.title, "a model");
  assert.deepEqual([...pack.photo], [1, 2, 3]);
  assert.deepEqual([...pack.depth], [4, 5]);
  const [map] = pack.maps;
  assert.deepEqual([map.label, map.rows, map.columns, map.channels], ["stage 1", 1, 2, 9]);
  assert.deepEqual([...toFloats(map.vectors)], [1, 0, 0, 1]);
  assert.deepEqual([...map.rgb], [1, 2, 3, 4, 5, 6]);
});

test("what is no pack, cut off or of another version is said in a sentence", () => {
  const page = new TextEncoder().encode("<html>not found</html>").buffer;
  assert.throws(() => readPack(page), /something else than stages/);
  assert.throws(() => readPack(new ArrayBuffer(2)), /something else than stages/);
  const whole = makePack([FULL]);
  assert.throws(() => readPack(whole.slice(0, whole.byteLength - 8)), /cut off/);
  assert.throws(() => readPack(whole.slice(0, 20)), /cut off/);
  assert.throws(() => readPack(makePack([FULL], { version: 2 })), /another version/);
});

test("half floats", () => {
  const halves = Uint16Array.of(0x0000, 0x8000, 0x3555, 0xc000, 0x7bff, 0x0001, 0x0400, 0x7c00);
  const floats = toFloats(halves);
  const expected = [0, -0, 0.333251953125, -2, 65504, 2 ** -24, 2 ** -14, Infinity];
  expected.forEach((value, i) => assert.equal(floats[i], value));
  assert.ok(Number.isNaN(toFloats(Uint16Array.of(0x7e00))[0]));
});

test("places fall into cells, the far edges too", () => {
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
  const draw = () => {
    for (let map = 0; map < 6; map++) {
      similarity(vectors, 64, 700, out);
      paintNumbers(out, rgba);
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

test("numbers become colours from dark to light, and stop at 0 and 1", () => {
  const rgba = new Uint8ClampedArray(20);
  paintNumbers(Float32Array.of(-1, 0, 0.5, 1, 7), rgba);
  const color = (i) => [...rgba.subarray(4 * i, 4 * i + 4)];
  assert.deepEqual(color(0), color(1));
  assert.deepEqual(color(3), color(4));
  const light = (i) => color(i)[0] + color(i)[1] + color(i)[2];
  assert.ok(light(1) < light(2) && light(2) < light(3));
  assert.equal(color(2)[3], 255);
});

test("RGB becomes RGBA", () => {
  const rgba = new Uint8ClampedArray(8);
  paintColors(Uint8Array.of(1, 2, 3, 4, 5, 6), rgba);
  assert.deepEqual([...rgba], [1, 2, 3, 255, 4, 5, 6, 255]);
});

test("pictures are laid out without holes where that is possible", () => {
  assert.equal(columnsFor(8, 1.5, 2.6), 4);
  assert.equal(columnsFor(6, 1.5), 3);
  assert.equal(columnsFor(1, 1), 1);
  for (let count = 1; count < 12; count++) assert.ok(columnsFor(count, 1.5) <= count);
});
