import { createElement } from "../lib/dom.js";

/** @import { Position } from "./feature_map.js" */
/** @import { FeatureMap } from "./stage_file.js" */

/** A canvas with a caption. The canvas has a pixel for each cell; the browser scales it up. */
export class Picture {
  label = "";
  note = "";

  /** @param {FeatureMap | null} map that is drawn, if any */
  constructor(map = null) {
    this.map = map;
    this.canvas = createElement("canvas");
    this.ring = createElement("div", { className: "ring" });
    this.frame = createElement("div", { className: "frame" }, this.canvas, this.ring);
    this.caption = createElement("figcaption");
    const mat = createElement("div", { className: "mat" }, this.frame);
    this.element = createElement("figure", {}, this.caption, mat);
  }

  /** @param {string} label @param {string} note */
  setCaption(label, note) {
    this.label = label;
    this.note = note;
    const small = createElement("small", { textContent: note });
    this.caption.replaceChildren(label, " ", small);
    this.caption.title = `${label} ${note}`;
  }

  /** Whether the browser blurs the pixels when it scales up. @param {boolean} isSmooth */
  setSmooth(isSmooth) {
    this.frame.classList.toggle("smooth", isSmooth);
  }

  /**
   * @param {number} columns
   * @param {number} rows
   * @param {(rgba: Uint8ClampedArray) => void} paint writes the pixels
   */
  drawPixels(columns, rows, paint) {
    if (this.canvas.width !== columns || this.canvas.height !== rows) this.#resize(columns, rows);
    const pixels = this.#context.createImageData(columns, rows);
    paint(pixels.data);
    this.#context.putImageData(pixels, 0, 0);
  }

  /** @param {ImageBitmap | HTMLCanvasElement} image */
  drawImage(image) {
    this.#resize(image.width, image.height);
    this.#context.drawImage(image, 0, 0);
  }

  clear() {
    this.#resize(0, 0);
    this.caption.replaceChildren();
  }

  /** @param {Position} position */
  placeRing({ x, y }) {
    this.ring.style.left = `${100 * x}%`;
    this.ring.style.top = `${100 * y}%`;
  }

  get #context() {
    return /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
  }

  /** @param {number} width @param {number} height */
  #resize(width, height) {
    this.canvas.width = width;
    this.canvas.height = height;
  }
}
