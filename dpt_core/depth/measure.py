"""Read a model's dimensions off its converted weights, once for all key layouts."""

import math
from collections.abc import Mapping

from torch import Tensor

from ..errors import CheckpointError
from .config import ViTConfig
from .decoder import SCALES

HEAD_WIDTH = 64  # channels of an attention head in every ViT but BEiT and SAM's largest


class Shapes:
    """Shapes of converted weights by name, with their original names for messages."""

    def __init__(self, tensors: Mapping[str, Tensor], origin: Mapping[str, str], file: str):
        self._shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        self._origin = origin
        self.file = file

    def __contains__(self, name: str) -> bool:
        return name in self._shapes

    def of(self, name: str, rank: int) -> tuple[int, ...]:
        """The shape of one weight.

        Raises:
            CheckpointError: it has another rank, or no elements.
        """
        shape = self._shapes[name]
        if len(shape) != rank or 0 in shape:
            raise self.wrong(name, f"{rank} dimensions were expected")
        return shape

    def wrong(self, name: str, expected: str) -> CheckpointError:
        """The error for a weight whose shape cannot be right."""
        shape = "×".join(str(side) for side in self._shapes[name]) or "a single number"
        return CheckpointError(
            f"{self.file} has a wrong shape for {self._origin[name]}: {shape}, where {expected}. "
            "The file is damaged or is another model; use the original checkpoint."
        )


def measure_vit(shapes: Shapes, stage_depths: tuple[int, int, int, int]) -> ViTConfig:
    """A DINOv2 encoder, from ``imgencoder.*``."""
    width, _, patch, _ = shapes.of("imgencoder.patch_embed.proj.weight", 4)
    if width % HEAD_WIDTH:
        raise shapes.wrong(
            "imgencoder.patch_embed.proj.weight",
            f"the first number, the encoder's width, should be a multiple of {HEAD_WIDTH}",
        )
    table = "imgencoder.posenc.base_patch_embedding"
    _, _, rows, columns = shapes.of(table, 4)
    first = "imgencoder.stages.0.blocks.0."
    expanded, _ = shapes.of(first + "mlp.layers.0.weight", 2)
    _, hidden = shapes.of(first + "mlp.layers.2.weight", 2)
    return ViTConfig(
        width=width,
        heads=width // HEAD_WIDTH,
        mlp_hidden=hidden,
        gated_mlp=expanded == 2 * hidden,
        patch=patch,
        stage_depths=stage_depths,
        grid=(rows, columns),
        positions="dinov2",
        layer_scale=first + "scale_attn" in shapes,
        final_norm="imgencoder.norm.weight" in shapes,
        norm_eps=1e-6,
    )


def measure_decoder(
    shapes: Shapes,
) -> tuple[tuple[int, int, int, int], int, tuple[int, int]]:
    """Channels of the four reassembled maps, of the fusion blocks, and of the head."""
    a, b, c, d = (shapes.of(f"reassemble.{scale}.resample.0.weight", 4)[0] for scale in SCALES)
    features = shapes.of("reassemble.spatial_upx4.fuse_proj.weight", 4)[0]
    first = shapes.of("head.spatial_upsampler.0.weight", 4)[0]
    second = shapes.of("head.proj_1ch.0.weight", 4)[0]
    return (a, b, c, d), features, (first, second)


def square_side(count: int) -> int | None:
    """The side of a square of `count` patches, or None if there is no such square."""
    side = math.isqrt(count)
    return side if side > 0 and side * side == count else None
