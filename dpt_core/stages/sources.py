"""Which module's output holds which feature map."""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor

from ..depth.encoders.hybrid import HybridViT
from ..depth.network import DPT
from ..depth.reassemble import SCALES
from .blocks import find_block, list_blocks, stage_ends
from .feature_map import FeatureSpec
from .grid import Grid, tokens_to_map


class FeatureSource(NamedTuple):
    """A feature map in the output of a module.

    Attributes:
        module: the module's name.
        label, note: as in `FeatureMap`.
        kind: ``"patches"``, ``"stage"``, ``"block"`` or ``"map"``.
        read: takes the map, B×C×rows×columns, out of the module's output.
    """

    module: str
    label: str
    note: str
    kind: str
    read: Callable[[Any], Tensor]


def token_sources(net: DPT, grid: Grid) -> list[FeatureSource]:
    """Patch tokens, the four stages, and every block."""
    specs = (FeatureSpec("patches"), FeatureSpec("stages"), FeatureSpec("blocks"))
    return [source for spec in specs for source in feature_sources(net, spec, grid)]


def feature_sources(net: DPT, spec: FeatureSpec, grid: Grid) -> list[FeatureSource]:
    """The sources of features that are a module's output: not attention, positions or depth.

    Raises:
        ValueError: the network has no such block.
    """

    def read_tokens(output: Tensor) -> Tensor:
        return tokens_to_map(output, grid)

    if spec.name == "patches":
        # The hybrid's embedding returns the maps of its ResNet before the patches.
        is_hybrid = isinstance(net.imgencoder, HybridViT)
        read = (lambda output: read_tokens(output[-1])) if is_hybrid else read_tokens
        module = "imgencoder.patch_embed"
        return [FeatureSource(module, "patch tokens", "before block 1", "patches", read)]
    if spec.name == "stages":
        return [
            FeatureSource("imgencoder", f"stage {i + 1}", note, "stage", _stage_reader(i))
            for i, note in enumerate(stage_notes(net))
        ]
    if spec.name in ("block", "blocks"):
        blocks = list_blocks(net) if spec.name == "blocks" else [find_block(net, spec.block)]
        return [
            FeatureSource(
                b.name, f"block {b.index + 1}", f"stage {b.stage + 1}", "block", read_tokens
            )
            for b in blocks
        ]
    if spec.name == "reassembled":
        notes = ("finest", "", "", "coarsest")
        return [
            FeatureSource(f"reassemble.{scale}", f"reassembled {i + 1}", note, "map", _read_map)
            for i, (scale, note) in enumerate(zip(SCALES, notes, strict=True))
        ]
    if spec.name == "fused":
        notes = ("last, finest", "", "", "first, coarsest")
        return [
            FeatureSource(f"fusion.blocks.{i}", f"fused {i + 1}", note, "map", _read_map)
            for i, note in enumerate(notes)
        ]
    return [
        FeatureSource("head.spatial_upsampler", "head 1", "before resizing", "map", _read_map),
        FeatureSource("head.proj_1ch.1", "head 2", "before the last 1 x 1", "map", _read_map),
    ]


def stage_notes(net: DPT) -> list[str]:
    """Where each of the four stages ends, in a few words."""
    return [
        f"after block {end}" if end else f"ResNet map {i + 1}"
        for i, end in enumerate(stage_ends(net))
    ]


def _stage_reader(index: int) -> Callable[[Any], Tensor]:
    return lambda stages: stages[index].map


def _read_map(output: Tensor) -> Tensor:
    return output
