// Width to height. Longer pictures would leave no room for the others.
const TALLEST_MAT = 1 / 3;
const WIDEST_MAT = 6;

/**
 * A picture lies on a mat of its own aspect, or of 1:3 or 6:1 where it is longer than that.
 *
 * @param {number} aspect of the picture, width to height
 * @returns {{matAspect: number, width: number, height: number}} the picture's size as a part of the
 *   mat's, from 0 to 1
 */
export function fitOnMat(aspect) {
  const matAspect = Math.min(Math.max(aspect, TALLEST_MAT), WIDEST_MAT);
  const width = Math.min(1, aspect / matAspect);
  return { matAspect, width, height: Math.min(1, matAspect / aspect) };
}

/**
 * Choose the columns of a grid of pictures of one size, so that few places stay empty and the
 * grid's shape is near to the wanted one.
 *
 * @param {number} count of pictures
 * @param {number} aspect of a picture, width to height
 * @param {number} wantedAspect of the grid
 */
export function columnsFor(count, aspect, wantedAspect = 1.6) {
  let best = 1;
  let lowestCost = Infinity;
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const distortion = Math.abs(Math.log((columns * aspect) / rows / wantedAspect));
    const cost = distortion + (3 * (rows * columns - count)) / count;
    if (cost < lowestCost) [best, lowestCost] = [columns, cost];
  }
  return best;
}
