// The visible part of the picture: zoom, pan, and the way between the screen and the picture.
// Pure functions on {x, y, width, height} in pixels of the picture, and a class that holds one.

/** @import { Box, Position, Size } from "./marks.js" */

/**
 * @typedef {Box} View the visible part of the picture
 * @typedef {Pick<DOMRect, "left" | "top" | "width" | "height">} ScreenRect
 */

export const ZOOM_STEP = 1.5; // of a key or a button
const MAX_ZOOM = 40;

/** The view of one picture. */
export class Viewport {
  /** @param {Size} size of the picture */
  constructor(size) {
    this.size = size;
    this.view = wholeView(size);
  }

  get isZoomed() {
    return this.view.width < this.size.width;
  }

  /** @returns {Position} what is in the middle */
  get centre() {
    const { x, y, width, height } = this.view;
    return { x: x + width / 2, y: y + height / 2 };
  }

  showWhole() {
    this.view = wholeView(this.size);
  }

  /** @param {number} factor @param {Position} position that stays where it is */
  zoom(factor, position) {
    this.view = zoomView(this.view, factor, position, this.size);
  }

  /** @param {number} dx @param {number} dy */
  pan(dx, dy) {
    this.view = panView(this.view, dx, dy, this.size);
  }

  /** @param {Position} position */
  centreOn(position) {
    this.view = centreView(this.view, position, this.size);
  }

  /** @param {Position} position */
  isOnPicture({ x, y }) {
    return x >= 0 && y >= 0 && x < this.size.width && y < this.size.height;
  }
}

/** @param {Size} size @returns {View} */
export function wholeView(size) {
  return { x: 0, y: 0, width: size.width, height: size.height };
}

/**
 * Zoom in by a factor, or out by one below 1, but no farther than to the whole picture.
 *
 * @param {View} view
 * @param {number} factor
 * @param {Position} position that stays where it is
 * @param {Size} size of the picture
 * @returns {View}
 */
export function zoomView(view, factor, position, size) {
  const width = clamp(view.width / factor, size.width / MAX_ZOOM, size.width);
  const scale = width / view.width;
  return keepInside(
    {
      x: position.x - (position.x - view.x) * scale,
      y: position.y - (position.y - view.y) * scale,
      width,
      height: view.height * scale,
    },
    size,
  );
}

/**
 * @param {View} view
 * @param {number} dx
 * @param {number} dy
 * @param {Size} size of the picture
 * @returns {View}
 */
export function panView(view, dx, dy, size) {
  return keepInside({ ...view, x: view.x + dx, y: view.y + dy }, size);
}

/**
 * Bring a position into the middle, as far as the picture reaches.
 *
 * @param {View} view
 * @param {Position} position
 * @param {Size} size of the picture
 * @returns {View}
 */
export function centreView(view, { x, y }, size) {
  return keepInside({ ...view, x: x - view.width / 2, y: y - view.height / 2 }, size);
}

/** @param {View} view @param {Size} size @returns {View} */
function keepInside(view, size) {
  return {
    ...view,
    x: clamp(view.x, 0, size.width - view.width),
    y: clamp(view.y, 0, size.height - view.height),
  };
}

/** @param {Size | null | undefined} a @param {Size | null | undefined} b */
export function sameSize(a, b) {
  return a?.width === b?.width && a?.height === b?.height;
}

/**
 * How many screen pixels a pixel of the picture takes where the view is shown in a rectangle, as
 * large as that allows, in its middle and with its aspect kept (xMidYMid meet in SVG).
 *
 * @param {Size} rect
 * @param {View} view
 */
export function viewScale(rect, view) {
  return Math.min(rect.width / view.width, rect.height / view.height);
}

/**
 * @param {number} clientX
 * @param {number} clientY
 * @param {ScreenRect} rect that the view is shown in
 * @param {View} view
 * @returns {Position} in the picture
 */
export function toPicture(clientX, clientY, rect, view) {
  const scale = viewScale(rect, view);
  const left = rect.left + (rect.width - view.width * scale) / 2;
  const top = rect.top + (rect.height - view.height * scale) / 2;
  return { x: view.x + (clientX - left) / scale, y: view.y + (clientY - top) / scale };
}

/**
 * The inverse of `toPicture`.
 *
 * @param {Position} position in the picture
 * @param {ScreenRect} rect that the view is shown in
 * @param {View} view
 * @returns {Position} on the screen
 */
export function toScreen(position, rect, view) {
  const { x, y } = toPicture(0, 0, rect, view);
  const scale = viewScale(rect, view);
  return { x: (position.x - x) * scale, y: (position.y - y) * scale };
}

/** @param {number} value @param {number} low @param {number} high */
function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}
