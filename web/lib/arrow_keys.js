/**
 * The direction of each arrow key, as [columns, rows].
 *
 * @type {Readonly<Record<string, [number, number]>>}
 */
export const ARROW_KEYS = Object.freeze({
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
});
