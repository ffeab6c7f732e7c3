"""What each part of a network makes of an image, as maps; the forward pass stays as it is."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor

from ..capture import capture
from ..depth.config import SwinConfig
from ..depth.encoders.hybrid import HybridViT
from ..depth.encoders.swin import Block as SwinBlock
from ..depth.network import DPT
from ..depth.preprocessing import network_size
from ..depth.reassemble import SCALES
from ..depth_map import Depth, disparity, join
from ..estimate.model import DepthModel
from ..layers.positions import PositionEncoding
from ..progress import Progress
from .ablation import Ablation, ablate
from .attention import Source, attention_reader, bias_reader, read_attention
from .blocks import Point, as_map, block_module, check_head, find_block, list_blocks, to_cpu

What = Literal[
    "patches",
    "stages",
    "block",
    "blocks",
    "attention",
    "positions",
    "reassembled",
    "fused",
    "head",
    "depth",
]
WHATS: tuple[What, ...] = get_args(What)

Grid = tuple[int, int]


@dataclass(frozen=True)
class View:
    """What to look at.

    Attributes:
        what: ``"patches"``: the patch embedding; ``"stages"``: the tokens that the decoder
            taps; ``"block"``, ``"blocks"``: tokens after one or after every transformer
            block; ``"attention"`` of one block; ``"positions"``: absolute ones, or one
            block's relative ones as the point sees them; ``"reassembled"`` and ``"fused"``:
            the decoder's four maps; ``"head"``: its two hidden maps; ``"depth"``: disparity.
        block: number of the block, from 0; None is the last.
        head: number of the attention head, from 0; None is the average of all.
        source: whose attention.
        point: x and y in 0 to 1, for what depends on a place.
    """

    what: What
    block: int | None = None
    head: int | None = None
    source: Source = "point"
    point: Point = (0.5, 0.5)


class FeatureMap(NamedTuple):
    """One map for every image.

    Attributes:
        label: what it is, in a few words.
        values: B×C×rows×columns float32 on the CPU; NaN where it has no value.
        note: where it is, in a few words; may be empty.
        windows: side and shift in cells of Swin's attention windows, else None.
        point: the place that the map was taken from, if it was.
    """

    label: str
    values: Tensor
    note: str = ""
    windows: tuple[int, int] | None = None
    point: Point | None = None


class Features(NamedTuple):
    """The maps that were asked for, and the depth of the same run."""

    maps: list[FeatureMap]
    depth: Depth


NO_ABLATION = Ablation()


def extract_features(
    model: DepthModel,
    images: Tensor,
    view: View,
    *,
    resolution: int | None = None,
    changes: Ablation = NO_ABLATION,
    progress: Progress | None = None,
    most_bytes: float = math.inf,
) -> Features:
    """Look inside a model while it estimates depth, one image at a time.

    Only what the view needs is captured, and it is copied to the CPU as it comes; attention
    is reduced to the rows that are shown before it is.

    Args:
        model: any depth model.
        images: B×3×H×W float RGB in [0, 1].
        view: what to look at.
        resolution: as for `DepthModel.infer`.
        changes: experiments on the network.
        progress: called with (images done, images in all).
        most_bytes: what the maps of all images may take of the CPU's memory.

    Returns:
        Maps of all images, and depth that is the same bit for bit as without looking.

    Raises:
        ValueError: the model has no such block, head or stage, the point is outside, or the
            maps would take too much memory.
    """
    if view.what not in WHATS:
        raise ValueError(f"There is no view {view.what!r}; choose one of {', '.join(WHATS)}.")
    net = model.net
    found: list[FeatureMap] = []
    depths: list[Depth] = []
    size = (images.shape[-2], images.shape[-1])
    grid = patch_grid(model, size, resolution)
    for number in range(len(images)):
        with ablate(net, changes), torch.no_grad(), watch(net, view, grid) as maps:
            depth = model.infer(images[number : number + 1], resolution, batch_size=1)
        if view.what == "depth":
            maps = [FeatureMap("depth", disparity(depth).unsqueeze(1), "near is high")]
        if not found:  # room for all, so that no frame is ever held twice
            _check_room(maps, len(images), most_bytes)
            found = [
                m._replace(values=m.values.new_empty(len(images), *m.values.shape[1:]))
                for m in maps
            ]
        for whole, one in zip(found, maps, strict=True):
            whole.values[number : number + 1] = one.values
        depths.append(depth)
        if progress is not None:
            progress(number + 1, len(images))
    if not found:
        raise ValueError("There are no images to look at; at least one was expected.")
    return Features(found, join(depths))


def _check_room(maps: Sequence[FeatureMap], images: int, most: float) -> None:
    needed = images * sum(m.values.nbytes for m in maps)
    if needed > most:
        raise ValueError(
            f"The maps of {images} images would take {needed / 1e9:.1f} GB of memory, but only "
            f"{most / 1e9:.1f} GB are there for them. Show fewer images at a time, or choose a "
            "lower resolution."
        )


@contextmanager
def watch(net: DPT, view: View, grid: Grid) -> Iterator[list[FeatureMap]]:
    """Collect the maps of one run; the list is filled while the network runs, or at its end."""
    maps: list[FeatureMap] = []
    if view.what == "depth":
        yield maps
        return
    if view.what == "attention":
        with _watch_attention(net, view, grid, maps):
            yield maps
        return
    if view.what == "positions":
        posenc = net.get_submodule("imgencoder.posenc") if _is_plain(net) else None
        if isinstance(posenc, PositionEncoding):
            yield maps
            maps.append(_absolute_positions(posenc, grid))
            return
        with _watch_bias(net, view, grid, maps):
            yield maps
        return

    parts = _parts(net, view, grid)

    def keep(name: str, output: Any) -> dict[str, Tensor]:
        return {p.label: to_cpu(p.read(output)) for p in parts if p.module == name}

    with capture(net, dict.fromkeys(part.module for part in parts), keep) as results:
        yield maps
    maps += [FeatureMap(p.label, results[p.module][p.label], p.note) for p in parts]


def block_norms(
    model: DepthModel,
    images: Tensor,
    *,
    resolution: int | None = None,
    changes: Ablation = NO_ABLATION,
    progress: Progress | None = None,
) -> tuple[Tensor, Depth]:
    """How long the patch tokens are after each block, on average.

    Returns:
        B×blocks mean L2 norms, and the depth.
    """
    net = model.net
    size = (images.shape[-2], images.shape[-1])
    grid = patch_grid(model, size, resolution)
    names = [place.name for place in list_blocks(net)]

    def keep(_name: str, output: Tensor) -> Tensor:
        return as_map(output, grid).float().norm(dim=1).mean(dim=(1, 2)).cpu()

    rows: list[Tensor] = []
    depths: list[Depth] = []
    for number in range(len(images)):
        with ablate(net, changes), capture(net, names, keep) as norms:
            depths.append(model.infer(images[number : number + 1], resolution, batch_size=1))
        rows.append(torch.cat([norms[name] for name in names]))
        if progress is not None:
            progress(number + 1, len(images))
    return torch.stack(rows), join(depths)


class Part(NamedTuple):
    """A map that is (part of) what a module returns: `read` takes it out, B×C×rows×columns."""

    module: str
    label: str
    note: str
    kind: str
    read: Callable[[Any], Tensor]


def token_parts(net: DPT, grid: Grid) -> list[Part]:
    """Patch tokens, the four stages, and every block."""
    views = (View("patches"), View("stages"), View("blocks"))
    return [part for view in views for part in _parts(net, view, grid)]


def _parts(net: DPT, view: View, grid: Grid) -> list[Part]:
    """The modules whose output is what a view shows."""

    def tokens(output: Tensor) -> Tensor:
        return as_map(output, grid)

    if view.what == "patches":
        # The hybrid's embedding returns the maps of its ResNet before the patches.
        is_hybrid = isinstance(net.imgencoder, HybridViT)
        read = (lambda output: tokens(output[-1])) if is_hybrid else tokens
        return [Part("imgencoder.patch_embed", "patch tokens", "before block 1", "patches", read)]
    if view.what == "stages":
        return [
            Part("imgencoder", f"stage {i + 1}", note, "stage", _stage_reader(i))
            for i, note in enumerate(stage_notes(net))
        ]
    if view.what in ("block", "blocks"):
        places = list_blocks(net) if view.what == "blocks" else [find_block(net, view.block)]
        return [
            Part(p.name, f"block {p.number + 1}", f"stage {p.stage + 1}", "block", tokens)
            for p in places
        ]
    if view.what == "reassembled":
        notes = ("finest", "", "", "coarsest")
        return [
            Part(f"reassemble.{scale}", f"reassembled {i + 1}", note, "map", _as_it_is)
            for i, (scale, note) in enumerate(zip(SCALES, notes, strict=True))
        ]
    if view.what == "fused":
        notes = ("last, finest", "", "", "first, coarsest")
        return [
            Part(f"fusion.blocks.{i}", f"fused {i + 1}", note, "map", _as_it_is)
            for i, note in enumerate(notes)
        ]
    return [
        Part("head.spatial_upsampler", "head 1", "before the resize", "map", _as_it_is),
        Part("head.proj_1ch.1", "head 2", "before the last 1 x 1", "map", _as_it_is),
    ]


def stage_notes(net: DPT) -> list[str]:
    """Where each of the four stages ends, in a few words."""
    ends = [0, 0, 0, 0]
    for place in list_blocks(net):
        ends[place.stage] = place.number + 1
    return [f"after block {end}" if end else f"ResNet map {i + 1}" for i, end in enumerate(ends)]


def _stage_reader(number: int) -> Callable[[Any], Tensor]:
    return lambda stages: stages[number].map


def _as_it_is(output: Tensor) -> Tensor:
    return output


@contextmanager
def _watch_attention(net: DPT, view: View, grid: Grid, maps: list[FeatureMap]) -> Iterator[None]:
    place = find_block(net, view.block)
    block = block_module(net, place)
    check_head(block.attn, view.head)
    reader = attention_reader(block.attn, grid, view.source, view.point)
    with read_attention(block.attn, reader) as found:
        yield
    heads = found[-1]
    if view.head is None:
        values, whose = heads.mean(dim=1, keepdim=True), "all heads"
    else:
        values, whose = heads[:, view.head : view.head + 1], f"head {view.head + 1}"
    sources = {"point": "from the point", "average": "average", "cls": "from the cls token"}
    label = f"attention, block {place.number + 1}"
    note = f"{whose}, {sources[view.source]}"
    point = view.point if view.source == "point" else None
    maps.append(FeatureMap(label, values, note, _windows(block, values), point))


@contextmanager
def _watch_bias(net: DPT, view: View, grid: Grid, maps: list[FeatureMap]) -> Iterator[None]:
    place = find_block(net, view.block)
    block = block_module(net, place)
    with read_attention(block.attn, bias_reader(block.attn, grid, view.point)) as found:
        yield
    values = found[-1]
    label = f"positions, block {place.number + 1}"
    note = "bias of each head, from the point"
    maps.append(FeatureMap(label, values, note, _windows(block, values), view.point))


def _absolute_positions(posenc: PositionEncoding, grid: Grid) -> FeatureMap:
    width = posenc.base_patch_embedding.shape[1]
    tokens = posenc(torch.zeros(1, 1 + grid[0] * grid[1], width), grid)
    return FeatureMap("positions", to_cpu(as_map(tokens, grid)), "added to the patch tokens")


def _windows(block: Any, values: Tensor) -> tuple[int, int] | None:
    if not isinstance(block, SwinBlock):
        return None
    side = min(block.window, values.shape[-1])
    shifted = block.shifted and values.shape[-1] > side
    return side, side // 2 if shifted else 0


def _is_plain(net: DPT) -> bool:
    return not isinstance(net.config.encoder, SwinConfig)


def patch_grid(model: DepthModel, size: tuple[int, int], resolution: int | None = None) -> Grid:
    """Rows and columns of the patches that images of a size (height, width) are cut into."""
    height, width = network_size(size, model.config.image, resolution)
    patch = _patch_side(model.net)
    return height // patch, width // patch


def _patch_side(net: DPT) -> int:
    encoder = net.config.encoder
    return encoder.patch if isinstance(encoder, SwinConfig) else encoder.multiple
