"""Four maps fused from coarse to fine (arXiv:2103.13413, figure 1, right)."""

from collections.abc import Sequence

from torch import Tensor, nn

from ..layers import Ops
from ..layers.resize import resize_map


class Fusion(nn.Module):
    """Four reassembled maps → four fused maps. Block 0 is the finest."""

    def __init__(self, features: int, ops: Ops) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(FusionBlock(features, i == 3, ops) for i in range(4))

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Maps B×F×h×w, finest first → fused maps, finest first.

        Each fused map has the size of the next finer map rather than twice its own, since sides may
        be odd. The finest has twice its own size.
        """
        height, width = maps[0].shape[-2:]
        sizes = [(2 * height, 2 * width), *(x.shape[-2:] for x in maps[:-1])]
        fused: list[Tensor] = []
        for i in (3, 2, 1, 0):
            coarser = fused[0] if fused else None
            fused.insert(0, self.blocks[i](maps[i], coarser, sizes[i]))
        return tuple(fused)


class FusionBlock(nn.Module):
    """Add the coarser fused map to a reassembled one, refine, and resize.

    The 1×1 convolution comes before the resize, not after it as in the paper: the two
    commute (up to rounding), and there are fewer pixels to convolve.
    """

    def __init__(self, features: int, coarsest: bool, ops: Ops) -> None:
        super().__init__()
        self.conv_reassembly = None if coarsest else ResidualConv(features, ops)
        self.proj_seq = nn.Sequential(
            ResidualConv(features, ops), ops.Conv2d(features, features, kernel_size=1)
        )

    def forward(self, x: Tensor, coarser: Tensor | None, size: tuple[int, int]) -> Tensor:
        """A map B×F×h×w, and the coarser fused map of this size or None → B×F×H×W at `size`."""
        if self.conv_reassembly is not None:
            x = self.conv_reassembly(x) + coarser  # B×F×h×w
        x = self.proj_seq(x)  # B×F×h×w
        return resize_map(x, size)


class ResidualConv(nn.Module):
    """x + conv(relu(conv(relu(x)))), both convolutions 3×3."""

    def __init__(self, features: int, ops: Ops) -> None:
        super().__init__()
        self.conv_seq = nn.Sequential(
            nn.ReLU(),
            ops.Conv2d(features, features, kernel_size=3, padding=1),
            nn.ReLU(),
            ops.Conv2d(features, features, kernel_size=3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """B×F×h×w → the same shape."""
        return x + self.conv_seq(x)
