"""Compute the largest maps of a head in bands of rows.

At full size, the maps before the last convolution would take more memory than all others together.
"""

from collections.abc import Callable, Iterator

from torch import Tensor

from ...layers.resize import ResizedRows

BAND_BYTES = 4 * 2**20  # size of a band of the resized map on a CPU
GPU_BAND_BYTES = 32 * 2**20  # the same on a GPU, which small bands leave idle
MIN_ROWS = 16  # per band: both convolutions compute the rows at its ends twice

Layers = Callable[[Tensor], Tensor]


def run_in_bands(
    before: Layers, after: Layers, x: Tensor, size: tuple[int, int]
) -> Iterator[Tensor]:
    """Yield ``after(resize_map(before(x), size))`` as bands of rows, from the top down.

    Args:
        before, after: layers with at most one 3×3 convolution each, which sees neighbouring rows.
        x: B×C×h×w.
        size: height and width after the resize.
    """
    height = x.shape[-2]
    rows = band_rows(x, size)
    for top in range(0, size[0], rows):
        bottom = min(top + rows, size[0])
        above, below = max(0, top - 1), min(size[0], bottom + 1)  # what `after` reads
        band = ResizedRows(height, size[0], above, below)
        start, stop = max(0, band.first - 1), min(height, band.last + 2)  # what `before` reads
        unresized = before(x[:, :, start:stop])[:, :, band.first - start : band.last + 1 - start]
        yield after(band.resize(unresized, size[1]))[:, :, top - above : bottom - above]


def band_rows(x: Tensor, size: tuple[int, int]) -> int:
    """How many rows fit into a band, after `before` has halved the channels of B×C×h×w."""
    batch, channels = x.shape[:2]
    limit = BAND_BYTES if x.is_cpu else GPU_BAND_BYTES
    return max(MIN_ROWS, 2 * limit // (batch * channels * size[1] * x.itemsize))
