// The two images in the editor: the picture, and the outlines of the last run's masks on it.

import { sameSize } from "./viewport.js";

/** @import { Size } from "./marks.js" */

export class PictureLayers {
  /** @type {Size | null} of the picture that is shown */
  size = null;
  /** Whether there are masks to show; they may be hidden. */
  hasMasks = false;

  /** @type {{url: string | null, size: Size | null}} the picture shown or being loaded */
  #wanted = { url: null, size: null };
  /** @type {{url: string | null, size: Size | null}} */
  #lastMasks = { url: null, size: null };

  /**
   * @param {SVGImageElement} picture
   * @param {SVGImageElement} masks
   * @param {(size: Size | null) => void} onPicture is called when another picture is shown
   */
  constructor(picture, masks, onPicture) {
    this.picture = picture;
    this.masks = masks;
    this.onPicture = onPicture;
  }

  /**
   * @param {string | null} url null for no picture
   * @param {Size | null} size where it is known to differ from the file's
   */
  setPicture(url, size = null) {
    if (url === this.#wanted.url && sameSize(size, this.#wanted.size)) return;
    const wanted = { url, size };
    this.#wanted = wanted;
    if (url === null) {
      this.#show(null, null);
      return;
    }
    const image = new Image();
    image.onload = () => {
      if (this.#wanted !== wanted) return; // another picture was set meanwhile
      this.#show(url, size ?? { width: image.naturalWidth, height: image.naturalHeight });
    };
    image.onerror = () => {
      if (this.#wanted === wanted) this.#show(null, null);
    };
    image.src = url;
  }

  /**
   * @param {string | null} url null for no masks
   * @param {Size | null} size of the picture that they were found in
   */
  setMasks(url, size = null) {
    this.#lastMasks = { url, size };
    this.#updateMasks();
  }

  get areMasksHidden() {
    return this.masks.style.display !== "";
  }

  toggleMasks() {
    this.masks.style.display = this.areMasksHidden ? "" : "none";
  }

  /** @param {string | null} url @param {Size | null} size */
  #show(url, size) {
    setHref(this.picture, url);
    this.size = size;
    for (const layer of size ? [this.picture, this.masks] : []) {
      layer.setAttribute("width", `${size?.width}`);
      layer.setAttribute("height", `${size?.height}`);
    }
    this.#updateMasks();
    this.onPicture(size);
  }

  /** Masks are shown only on a picture of their size. */
  #updateMasks() {
    const { url, size } = this.#lastMasks;
    const isLoaded = this.picture.getAttribute("href") === this.#wanted.url;
    this.hasMasks = url !== null && isLoaded && sameSize(size, this.size);
    setHref(this.masks, this.hasMasks ? url : null);
  }
}

/** @param {SVGImageElement} image @param {string | null} url */
function setHref(image, url) {
  if (url === image.getAttribute("href")) return; // it would be loaded again
  if (url === null) image.removeAttribute("href");
  else image.setAttribute("href", url);
}
