"""Connected components of masks, in numpy."""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def label_components(mask: Mask, diagonal: bool) -> tuple[NDArray[np.intp], int]:
    """Number the connected components of a mask H×W.

    Works on runs, the sequences of set pixels within a row: runs of neighbouring rows that
    touch are joined until nothing changes.

    Args:
        mask: H×W bool.
        diagonal: pixels that touch at a corner are connected too.

    Returns:
        H×W labels (0 where the mask is not set) and the number of components, which are numbered
        from 1 in the order of their first pixels.
    """
    steps = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(steps == 1)
    ends = np.nonzero(steps == -1)[1]  # one past the last pixel
    # Positions along all rows in sequence, with a gap wide enough to keep the rows apart.
    stride, reach = mask.shape[1] + 3, int(diagonal)
    above = (rows - 1) * stride
    first = np.searchsorted(rows * stride + ends, above + starts - reach, side="right")
    last = np.searchsorted(rows * stride + starts, above + ends + reach, side="left")
    counts = np.maximum(last - first, 0)
    lower = np.repeat(np.arange(len(rows)), counts)
    upper = np.arange(len(lower)) + np.repeat(first - np.cumsum(counts) + counts, counts)
    parents = _join(len(rows), lower, upper)
    roots, numbers = np.unique(parents, return_inverse=True)
    labels = np.zeros(mask.shape, dtype=np.intp)
    labels[mask] = np.repeat(numbers + 1, ends - starts)
    return labels, len(roots)


def fill_small_holes(mask: Mask, area: int) -> tuple[Mask, bool]:
    """Fill the holes of fewer than `area` pixels; also tells whether there were any."""
    labels, count = label_components(~mask, diagonal=True)
    filled = np.bincount(labels.ravel(), minlength=count + 1) < area
    changed = bool(filled[1:].any())
    filled[0] = True  # the mask itself
    return filled[labels], changed


def remove_small_components(mask: Mask, area: int) -> tuple[Mask, bool]:
    """Remove the components of fewer than `area` pixels; also tells whether there were any.

    If all are that small the largest stays.
    """
    labels, count = label_components(mask, diagonal=True)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    kept = sizes >= area
    changed = not kept.all()
    if count and not kept.any():
        kept[sizes.argmax()] = True
    return np.concatenate([[False], kept])[labels], changed


def _join(count: int, lower: NDArray[np.intp], upper: NDArray[np.intp]) -> NDArray[np.intp]:
    """Union-find: of each of `count` indices the smallest one that it is connected to.

    `lower` and `upper` are the connected pairs.
    """
    parents = np.arange(count)
    while True:
        one, other = parents[lower], parents[upper]
        if np.array_equal(one, other):
            return parents
        np.minimum.at(parents, np.maximum(one, other), np.minimum(one, other))
        while not np.array_equal(parents, parents[parents]):
            parents = parents[parents]
