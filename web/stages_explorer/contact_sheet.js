// All pictures of the explorer as one PNG, and where that goes.

import { createElement } from "../lib/dom.js";
import { columnsFor, fitOnMat } from "./grid_layout.js";

/** @import { Position } from "./feature_map.js" */
/** @import { Picture } from "./picture.js" */

const GAP = 16;
const TITLE_HEIGHT = 44;
const CAPTION_HEIGHT = 26;
const MAT_WIDTH = 320;
const BACKGROUND = "#17171b";
const TEXT = "#f4f4f6";
const RING = "#ffc43d";

/**
 * @param {string} title
 * @param {Picture[]} pictures
 * @param {number} aspect of each
 * @param {Position | null} point that is marked in each
 * @returns {Promise<Blob>}
 */
export function drawContactSheet(title, pictures, aspect, point) {
  const mat = fitOnMat(aspect);
  const matHeight = Math.round(MAT_WIDTH / mat.matAspect);
  const [width, height] = [mat.width * MAT_WIDTH, mat.height * matHeight];
  const columns = columnsFor(pictures.length, mat.matAspect);
  const rows = Math.ceil(pictures.length / columns);
  const canvas = createElement("canvas", {
    width: GAP + columns * (MAT_WIDTH + GAP),
    height: TITLE_HEIGHT + rows * (matHeight + CAPTION_HEIGHT + GAP),
  });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.fillStyle = BACKGROUND;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = TEXT;
  context.font = "20px sans-serif";
  context.fillText(title, GAP, 30);
  context.font = "14px sans-serif";
  pictures.forEach((picture, i) => {
    const matLeft = GAP + (i % columns) * (MAT_WIDTH + GAP);
    const captionTop =
      TITLE_HEIGHT + Math.floor(i / columns) * (matHeight + CAPTION_HEIGHT + GAP);
    const left = matLeft + (MAT_WIDTH - width) / 2;
    const top = captionTop + CAPTION_HEIGHT + (matHeight - height) / 2;
    const caption = picture.caption.textContent?.trim() ?? "";
    context.fillText(caption, matLeft, captionTop + 17, MAT_WIDTH);
    context.imageSmoothingEnabled = picture.map === null;
    context.drawImage(picture.canvas, left, top, width, height);
    if (point === null) return;
    context.strokeStyle = RING;
    context.lineWidth = 2;
    context.beginPath();
    context.arc(left + point.x * width, top + point.y * height, 6, 0, 2 * Math.PI);
    context.stroke();
  });
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => {
      if (blob) resolve(blob);
      else reject(new Error("The browser could not write the picture."));
    }, "image/png");
  });
}

/**
 * Copy a PNG to the clipboard, or download it where the browser does not allow that.
 *
 * @param {Blob} blob
 * @returns {Promise<string>} what to tell the user
 */
export async function copyOrDownload(blob) {
  try {
    await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
    return "Copied.";
  } catch {
    // Browsers allow it only to pages from https or from this computer.
    const link = createElement("a", { href: URL.createObjectURL(blob), download: "stages.png" });
    link.click();
    URL.revokeObjectURL(link.href);
    return "This page cannot use the clipboard, so the picture was downloaded.";
  }
}
