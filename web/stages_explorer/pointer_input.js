/** @import { Gallery } from "./gallery.js" */
/** @import { Picture } from "./picture.js" */

/**
 * Choose the picture under the pointer; compare with the position that is pressed or dragged to.
 *
 * @param {Gallery} gallery
 * @param {Picture} picture
 */
export function listenToPointer(gallery, picture) {
  const { frame } = picture;

  /** @param {PointerEvent} event */
  const setPoint = (event) => {
    const { left, top, width, height } = frame.getBoundingClientRect();
    gallery.setPoint({
      x: clamp((event.clientX - left) / width),
      y: clamp((event.clientY - top) / height),
    });
  };

  frame.addEventListener("pointerenter", () => gallery.choose(picture));
  frame.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !gallery.file) return;
    frame.setPointerCapture(event.pointerId);
    setPoint(event);
  });
  frame.addEventListener("pointermove", (event) => {
    const isCompared = gallery.panel.isFollowing || frame.hasPointerCapture(event.pointerId);
    if (gallery.file && isCompared) setPoint(event);
  });
}

/** @param {number} value */
function clamp(value) {
  return Math.min(Math.max(value, 0), 1);
}
