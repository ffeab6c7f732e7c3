// The explorer itself: it opens and closes, and loads the file that the last run wrote. The file is
// large, so it is fetched when the explorer is opened, and let go of when it is closed or the node
// is deleted.

import { api } from "../../../scripts/api.js";
import { callAfter } from "../lib/nodes.js";
import { copyOrDownload, drawContactSheet } from "./contact_sheet.js";
import { Gallery } from "./gallery.js";
import { listenToKeyboard } from "./keyboard_input.js";
import { LargeView } from "./large_view.js";
import { Panel } from "./panel.js";
import { recall, remember } from "./session_memory.js";
import { readStageFile } from "./stage_file.js";

const CLOSED_HEIGHT = 44;
const OPEN_HEIGHT = 680;
const OPEN_WIDTH = 640;
const BEFORE_FIRST_RUN = "Run the workflow to explore its stages.";
const HELP = "Press on a picture to compare with that position; arrow keys move it. 1–4: stage.";
const FILE_IS_GONE = "The last run's stages are gone; run the workflow again.";

export class Explorer {
  isOpen = false;
  /** @type {[number, number]} of the node with the closed explorer */
  #closedSize = [0, 0];
  /** @type {Comfy.File | null} that the last run wrote, on the server */
  #file = null;
  /** @type {AbortController | null} of the request for the file that is shown or being loaded */
  #request = null;

  /** @param {Comfy.Node} node */
  constructor(node) {
    this.node = node;
    this.panel = new Panel({
      toggle: () => this.setOpen(!this.isOpen),
      showColours: () => this.gallery.setPoint(null),
      copy: () => this.#copy(),
      toggleLargeView: () => this.largeView.toggle(),
      showBlock: () => this.gallery.showBlock(),
    });
    this.gallery = new Gallery(this.panel);
    this.largeView = new LargeView(this.panel.root, (isLarge) => this.panel.setLarge(isLarge));
    listenToKeyboard(this.gallery);
    this.panel.say(BEFORE_FIRST_RUN);
    /** @param {{size: [number, number]}} saved */
    const saveClosedSize = (saved) => {
      if (!this.isOpen) return;
      saved.size = [...this.#closedSize];
      remember(node, { openSize: [...node.size] });
    };
    callAfter(node, "onSerialize", saveClosedSize);
  }

  get minHeight() {
    return this.isOpen ? OPEN_HEIGHT : CLOSED_HEIGHT;
  }

  /** @param {Comfy.File} file that a run wrote; another run's has another name */
  setFile(file) {
    const isLoaded = this.#request !== null && file.filename === this.#file?.filename;
    this.#file = file;
    this.panel.toggle.disabled = false;
    if (!this.isOpen) this.panel.say("");
    else if (!isLoaded) this.#load(file);
    remember(this.node, { file });
  }

  /** @param {boolean} isOpen @param {[number, number]} [openSize] of the node */
  setOpen(isOpen, openSize = [OPEN_WIDTH, 0]) {
    if (isOpen === this.isOpen) return;
    this.isOpen = isOpen;
    this.panel.setOpen(isOpen);
    const { node } = this;
    this.panel.root.style.minHeight = `${this.minHeight}px`; // for the Vue renderer
    if (isOpen) {
      const [width, height] = node.size;
      this.#closedSize = [width, height];
      const minHeight = Math.max(node.computeSize()[1], height);
      node.setSize([Math.max(width, openSize[0]), Math.max(minHeight, openSize[1])]);
      if (this.#file) this.#load(this.#file);
    } else {
      this.clear();
      this.panel.say("");
      node.setSize([...this.#closedSize]);
    }
    node.graph?.setDirtyCanvas(true, true);
    remember(node, { isOpen });
  }

  /** Take up what was there before the page was reloaded. */
  restore() {
    const { file, isOpen, openSize } = recall(this.node);
    if (!file) return;
    if (!this.#file) this.setFile(file);
    this.setOpen(isOpen === true, openSize);
  }

  /** Let go of everything that a run brought. */
  clear() {
    this.#request?.abort();
    this.#request = null;
    this.gallery.clear();
    this.largeView.close();
  }

  /** @param {Comfy.File} file */
  async #load(file) {
    this.#request?.abort();
    const request = new AbortController();
    const { signal } = request;
    this.#request = request;
    this.panel.say("Loading …");
    try {
      const response = await api.fetchApi(`/view?${new URLSearchParams({ ...file })}`, { signal });
      if (!response.ok) throw new Error(FILE_IS_GONE);
      const stages = readStageFile(await response.arrayBuffer());
      const [photo, depth] = await Promise.all([stages.photo, stages.depth].map(decodeJpeg));
      if (signal.aborted) return;
      this.panel.say(HELP);
      this.gallery.show(stages, photo, depth);
      for (const image of [photo, depth]) image.close();
    } catch (error) {
      if (signal.aborted) return;
      this.clear();
      this.panel.say(error instanceof Error ? error.message : `${error}`);
    }
  }

  async #copy() {
    const { aspect, file, pictures, point } = this.gallery;
    if (!file) return;
    const blob = await drawContactSheet(file.title, pictures, aspect, point);
    this.panel.say(await copyOrDownload(blob));
  }
}

/** @param {Uint8Array<ArrayBuffer>} bytes */
function decodeJpeg(bytes) {
  return createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
}
