"""The last convolutions of a head, some rows of the full size at a time.

At full size the maps between them would outweigh all others together.
"""

from torch import Tensor, nn

from ...layers import Ops
from ...layers.resize import resize_map, resize_rows

BAND_BYTES = 8 * 2**20  # of the resized map that are there at a time, on a CPU
GPU_BAND_BYTES = 32 * 2**20  # the same on a GPU, which is idle over little


class BandedProjection(nn.ModuleList):
    """Resize, 3×3 convolution, ReLU, 1×1 convolution: a map → one channel at full size."""

    def __init__(self, channels: int, hidden: int, ops: Ops) -> None:
        conv3x3 = ops.Conv2d(channels, hidden, kernel_size=3, padding=1)
        conv1x1 = ops.Conv2d(hidden, 1, kernel_size=1)
        super().__init__([conv3x3, nn.ReLU(), conv1x1])

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """B×C×h×w → B×1×H×W."""
        conv3x3, relu, conv1x1 = self
        rows = band_rows(x, size)
        if rows >= size[0] or any(layer._forward_hooks for layer in self):
            return conv1x1(relu(conv3x3(resize_map(x, size))))  # whole maps, for whoever watches
        result = x.new_empty(len(x), 1, *size)
        for top in range(0, size[0], rows):
            bottom = min(top + rows, size[0])
            # One more row on either side, where there is one, for the 3×3 convolution.
            above, below = max(0, top - 1), min(size[0], bottom + 1)
            hidden = conv3x3(resize_rows(x, size, above, below)).relu_()
            band = conv1x1(hidden)
            result[:, :, top:bottom] = band[:, :, top - above : bottom - above]
        return result


def band_rows(x: Tensor, size: tuple[int, int]) -> int:
    """How many rows of B×C×h×w, resized to `size`, are worked on at a time."""
    batch, channels = x.shape[:2]
    limit = BAND_BYTES if x.is_cpu else GPU_BAND_BYTES
    return max(1, limit // (batch * channels * size[1] * x.itemsize))
