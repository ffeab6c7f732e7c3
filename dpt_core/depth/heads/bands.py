"""Compute the largest maps of a head in bands of rows.

At full size, the maps before the last convolution would take more memory than all others together.
"""

from collections.abc import Callable, Iterator

from torch import Tensor

from ...layers.resize import ResizedRows

BAND_BYTES = 4 * 2**20  # size of a band of the resized map on a CPU
GPU_BAND_BYTES = 32 * 2**20  # the same on a GPU, which small bands leave idle
MIN_ROWS = 16  # per band: the rows at its ends are computed twice

Layers = Callable[[Tensor], Tensor]


def run_in_bands(layers: Layers, x: Tensor, size: tuple[int, int]) -> Iterator[Tensor]:
    """Yield ``layers(resize_map(x, size))`` as bands of rows, from the top down.

    Args:
        layers: layers with at most one 3×3 convolution, which sees neighbouring rows.
        x: B×C×h×w.
        size: height and width after the resize.
    """
    rows = band_rows(x, size)
    for top in range(0, size[0], rows):
        bottom = min(top + rows, size[0])
        above, below = max(0, top - 1), min(size[0], bottom + 1)  # what `layers` reads
        band = ResizedRows(x.shape[-2], size[0], above, below)
        resized = band.resize(x[:, :, band.first : band.last + 1], size[1])
        yield layers(resized)[:, :, top - above : bottom - above]


def band_rows(x: Tensor, size: tuple[int, int]) -> int:
    """How many rows of B×C×h×w, resized to `size`, fit into a band."""
    batch, channels = x.shape[:2]
    limit = BAND_BYTES if x.is_cpu else GPU_BAND_BYTES
    return max(MIN_ROWS, limit // (batch * channels * size[1] * x.itemsize))
