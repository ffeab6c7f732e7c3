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
