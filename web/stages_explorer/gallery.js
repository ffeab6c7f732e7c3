// The pictures in the explorer: a strip of all of them, and the chosen one enlarged. They show
// the colours of the feature maps, or their similarity to a point once there is one.

import { paintRgb, paintValues } from "./colours.js";
import { cellAt, neighbour, similarity } from "./feature_map.js";
import { columnsFor, fitOnMat } from "./grid_layout.js";
import { Picture } from "./picture.js";
import { listenToPointer } from "./pointer_input.js";
import { halfToFloat } from "./stage_file.js";

/** @import { Position } from "./feature_map.js" */
/** @import { Panel } from "./panel.js" */
/** @import { FeatureMap, StageFile } from "./stage_file.js" */

const STRIP_ASPECT = 2.6; // above the enlarged picture
const SIDE_STRIP_ASPECT = 0.7; // beside it, in the large view

export class Gallery {
  /** @type {StageFile | null} */
  file = null;
  /** @type {Picture[]} in the strip */
  pictures = [];
  /** @type {Picture | null} that is enlarged */
  chosen = null;
  /** @type {Position | null} that the maps are compared with */
  point = null;
  aspect = 1;
  /** @type {FeatureMap[]} */
  #blocks = [];
  /** @type {(Picture & {map: FeatureMap}) | null} of one block at a time */
  #blockPicture = null;
  /** @type {Map<FeatureMap, Float32Array>} the vectors that have been compared */
  #vectors = new Map();
  #animationFrame = 0;

  /** @param {Panel} panel */
  constructor(panel) {
    this.panel = panel;
    listenToPointer(this, panel.large);
  }

  /**
   * @param {StageFile} file
   * @param {ImageBitmap} photo
   * @param {ImageBitmap} depth
   */
  show(file, photo, depth) {
    const { point } = this;
    const chosenIndex = this.chosen ? this.pictures.indexOf(this.chosen) : -1;
    this.clear();
    this.file = file;
    this.aspect = photo.width / photo.height;
    this.#blocks = file.maps.filter(({ kind }) => kind === "block");
    const stages = file.maps.filter(({ kind }) => kind !== "block");
    this.#blockPicture = this.#blocks.length ? mapPicture(this.#blocks[0]) : null;
    this.pictures = [
      photoPicture("photo", photo),
      ...stages.map(mapPicture),
      ...(this.#blockPicture ? [this.#blockPicture] : []),
      photoPicture("depth", depth),
    ];
    for (const picture of this.pictures) listenToPointer(this, picture);
    this.#layOut();
    this.setPoint(point);
    this.showBlock();
    this.choose(this.pictures[chosenIndex] ?? this.#stagePicture(1));
  }

  clear() {
    cancelAnimationFrame(this.#animationFrame);
    this.file = null;
    this.pictures = [];
    this.chosen = null;
    this.point = null;
    this.#blocks = [];
    this.#blockPicture = null;
    this.#vectors = new Map();
    this.panel.strip.replaceChildren();
    this.panel.large.clear();
    this.panel.root.classList.remove("similar");
  }

  #layOut() {
    const { aspect, pictures } = this;
    const { root, slider, strip } = this.panel;
    const { matAspect, width } = fitOnMat(aspect);
    /** @param {string} name @param {string | number} value */
    const set = (name, value) => root.style.setProperty(name, `${value}`);
    set("--aspect", aspect);
    set("--mat-aspect", matAspect);
    set("--picture-width", `${100 * width}%`);
    set("--columns", columnsFor(pictures.length, matAspect, STRIP_ASPECT));
    set("--side-columns", columnsFor(pictures.length, matAspect, SIDE_STRIP_ASPECT));
    strip.replaceChildren(...pictures.map(({ element }) => element));
    slider.max = `${this.#blocks.length}`;
    slider.value = `${Math.min(Number(slider.value), this.#blocks.length)}`;
  }

  // ---- what is compared

  /** @param {Position | null} point null for the colours */
  setPoint(point) {
    this.point = point;
    this.panel.root.classList.toggle("similar", point !== null);
    this.panel.colours.setAttribute("aria-pressed", `${point === null}`);
    // At most once a frame, however fast the mouse is.
    cancelAnimationFrame(this.#animationFrame);
    this.#animationFrame = requestAnimationFrame(() => {
      if (this.file) this.#draw();
    });
  }

  /**
   * Move the point by cells of the chosen map, at first from the middle.
   *
   * @param {number} columns
   * @param {number} rows
   */
  movePoint(columns, rows) {
    const map = this.chosen?.map ?? this.#stagePicture(1)?.map;
    if (map) this.setPoint(neighbour(map, this.point ?? { x: 0.5, y: 0.5 }, columns, rows));
  }

  #draw() {
    for (const picture of this.pictures) this.#drawMap(picture);
    if (this.point) {
      for (const picture of [...this.pictures, this.panel.large]) picture.placeRing(this.point);
    }
    this.#enlarge();
  }

  /** @param {Picture} picture */
  #drawMap(picture) {
    const { map } = picture;
    if (!map || !this.file) return;
    const { colourMap } = this.file;
    picture.drawPixels(map.columns, map.rows, (rgba) => {
      if (this.point) paintValues(this.#similarityTo(this.point, map), colourMap, rgba);
      else paintRgb(map.rgb, rgba);
    });
  }

  /** @param {Position} point @param {FeatureMap} map */
  #similarityTo(point, map) {
    let vectors = this.#vectors.get(map);
    if (!vectors) {
      vectors = halfToFloat(map.vectors);
      this.#vectors.set(map, vectors);
    }
    const values = new Float32Array(map.rows * map.columns);
    similarity(vectors, map.length, cellAt(map, point.x, point.y), values);
    return values;
  }

  // ---- what is enlarged

  /** @param {Picture | undefined} picture */
  choose(picture) {
    if (!picture || picture === this.panel.large) return;
    this.chosen?.element.classList.remove("chosen");
    this.chosen = picture;
    picture.element.classList.add("chosen");
    this.#enlarge();
  }

  /** @param {number} number */
  chooseStage(number) {
    this.choose(this.#stagePicture(number));
  }

  /** Show the block that the slider points to. */
  showBlock() {
    const picture = this.#blockPicture;
    if (!picture) return;
    const { slider, sliderText } = this.panel;
    const map = this.#blocks[Number(slider.value) - 1];
    this.#vectors.delete(picture.map); // one block's at a time are in memory
    picture.map = map;
    picture.setCaption(map.label, map.note);
    sliderText.textContent = `${map.label} of ${this.#blocks.length}`;
    this.#drawMap(picture);
    if (this.chosen === picture) this.#enlarge();
  }

  #enlarge() {
    if (!this.chosen) return;
    const { large } = this.panel;
    large.setSmooth(!this.chosen.map);
    large.drawImage(this.chosen.canvas);
    large.setCaption(this.chosen.label, this.chosen.note);
  }

  /** @param {number} number */
  #stagePicture(number) {
    return this.pictures.find(({ map }) => map?.label === `stage ${number}`);
  }
}

/** @param {string} label @param {ImageBitmap} image */
function photoPicture(label, image) {
  const picture = new Picture();
  picture.setSmooth(true);
  picture.drawImage(image);
  picture.setCaption(label, "");
  return picture;
}

/** @param {FeatureMap} map */
function mapPicture(map) {
  const picture = Object.assign(new Picture(), { map });
  picture.setCaption(map.label, `${map.rows} × ${map.columns} · ${map.channels} ch`);
  return picture;
}
