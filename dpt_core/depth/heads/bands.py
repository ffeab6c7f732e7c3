"""The widest maps of a head, some rows at a time.

At full size the maps before the last convolution would outweigh all others together.
"""

from collections.abc import Callable, Iterator

from torch import Tensor, nn

from ...layers.resize import ResizedRows

BAND_BYTES = 4 * 2**20  # of the resized map that are there at a time, on a CPU
GPU_BAND_BYTES = 32 * 2**20  # the same on a GPU, which is idle over little
MIN_ROWS = 16  # in a band: both convolutions compute the rows at its ends twice

Layers = Callable[[Tensor], Tensor]


def run_in_bands(
    before: Layers, after: Layers, x: Tensor, size: tuple[int, int]
) -> Iterator[Tensor]:
    """``after(resize_map(before(x), size))`` as bands of rows, from the top down.

    Args:
        before, after: layers with 3×3 convolutions, one each at most: a row sees its neighbours.
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
    """How many rows of a map with half the channels of B×C×h×w, resized to `size`, fit a band."""
    batch, channels = x.shape[:2]
    limit = BAND_BYTES if x.is_cpu else GPU_BAND_BYTES
    return max(MIN_ROWS, 2 * limit // (batch * channels * size[1] * x.itemsize))


def has_inner_hooks(part: nn.Module) -> bool:
    """Whether somebody looks at a layer inside, and so must see whole maps."""
    return any(layer._forward_hooks for layer in part.modules() if layer is not part)
