"""Capture the feature maps of one run of a network."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ..capture import capture
from ..depth.encoders.swin import Block as SwinBlock
from ..depth.encoders.swin import Swin
from ..depth.network import DPT
from ..layers.positions import PositionEncoding
from .attention import attention_fn, bias_fn, capture_attention
from .blocks import block_module, check_head, find_block
from .feature_map import FeatureMap, FeatureSpec
from .grid import Grid, copy_to_cpu, tokens_to_map
from .sources import feature_sources


@contextmanager
def capture_features(net: DPT, spec: FeatureSpec, grid: Grid) -> Iterator[list[FeatureMap]]:
    """Capture the maps of the run inside the context; the list is filled when it closes.

    Each map is copied to the CPU as it appears. For ``"depth"`` the list stays empty.

    Args:
        net: the network.
        spec: which features.
        grid: rows and columns of the patches.

    Raises:
        ValueError: the network has no such block, head or query, or the point is outside.
    """
    maps: list[FeatureMap] = []
    if spec.name == "depth":
        yield maps
    elif spec.name == "attention":
        with _capture_attention(net, spec, grid, maps):
            yield maps
    elif spec.name != "positions":
        with _capture_outputs(net, spec, grid, maps):
            yield maps
    elif (posenc := _absolute_encoding(net)) is not None:
        yield maps
        maps.append(_absolute_positions(posenc, grid))
    else:
        with _capture_bias(net, spec, grid, maps):
            yield maps


@contextmanager
def _capture_outputs(
    net: DPT, spec: FeatureSpec, grid: Grid, maps: list[FeatureMap]
) -> Iterator[None]:
    sources = feature_sources(net, spec, grid)

    def keep(module: str, output: Any) -> dict[str, Tensor]:
        return {s.label: copy_to_cpu(s.read(output)) for s in sources if s.module == module}

    with capture(net, dict.fromkeys(source.module for source in sources), keep) as results:
        yield
    maps += [FeatureMap(s.label, results[s.module][s.label], s.note) for s in sources]


@contextmanager
def _capture_attention(
    net: DPT, spec: FeatureSpec, grid: Grid, maps: list[FeatureMap]
) -> Iterator[None]:
    info = find_block(net, spec.block)
    block = block_module(net, info)
    check_head(block.attn, spec.head)
    compute = attention_fn(block.attn, grid, spec.query, spec.point)
    with capture_attention(block.attn, compute) as found:
        yield
    weights = found[-1]  # B×heads×rows×columns
    if spec.head is None:
        values, heads = weights.mean(dim=1, keepdim=True), "all heads"
    else:
        values, heads = weights[:, spec.head : spec.head + 1], f"head {spec.head + 1}"
    queries = {"point": "from the point", "average": "average", "cls": "from the cls token"}
    label = f"attention, block {info.index + 1}"
    note = f"{heads}, {queries[spec.query]}"
    point = spec.point if spec.query == "point" else None
    maps.append(FeatureMap(label, values, note, _windows(block, values), point))


@contextmanager
def _capture_bias(
    net: DPT, spec: FeatureSpec, grid: Grid, maps: list[FeatureMap]
) -> Iterator[None]:
    info = find_block(net, spec.block)
    block = block_module(net, info)
    with capture_attention(block.attn, bias_fn(block.attn, grid, spec.point)) as found:
        yield
    values = found[-1]  # B×heads×rows×columns
    label = f"positions, block {info.index + 1}"
    note = "bias of each head, from the point"
    maps.append(FeatureMap(label, values, note, _windows(block, values), spec.point))


def _absolute_encoding(net: DPT) -> PositionEncoding | None:
    """The encoding that is added to the tokens; None where each block has a bias of its own."""
    if isinstance(net.imgencoder, Swin):
        return None
    posenc = net.get_submodule("imgencoder.posenc")
    return posenc if isinstance(posenc, PositionEncoding) else None


def _absolute_positions(posenc: PositionEncoding, grid: Grid) -> FeatureMap:
    width = posenc.base_patch_embedding.shape[1]
    tokens = posenc(torch.zeros(1, 1 + grid[0] * grid[1], width), grid)  # B×(1+N)×C
    return FeatureMap("positions", tokens_to_map(tokens, grid), "added to the patch tokens")


def _windows(block: Any, values: Tensor) -> tuple[int, int] | None:
    if not isinstance(block, SwinBlock):
        return None
    side = min(block.window, values.shape[-1])
    shifted = block.shifted and values.shape[-1] > side
    return side, side // 2 if shifted else 0
