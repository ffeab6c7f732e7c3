"""Where things are in a network: its blocks, one after another, and maps of its tokens."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..depth.encoders.swin import Block as SwinBlock
from ..depth.encoders.vit import Block as ViTBlock
from ..depth.network import DPT

Point = tuple[float, float]  # x, y from 0 (left, top) to 1


class BlockPlace(NamedTuple):
    """One transformer block.

    Attributes:
        name: its module's name, such as ``"imgencoder.stages.1.blocks.2"``.
        stage: index of its stage, 0 to 3.
        number: how many blocks come before it in the whole encoder.
    """

    name: str
    stage: int
    number: int


def list_blocks(net: DPT) -> list[BlockPlace]:
    """Every transformer block, in the order in which they run."""
    names = [
        (f"imgencoder.stages.{stage}.blocks.{block}", stage)
        for stage, depth in enumerate(net.config.encoder.stage_depths)
        for block in range(depth)
    ]
    return [BlockPlace(name, stage, number) for number, (name, stage) in enumerate(names)]


def find_block(net: DPT, number: int | None) -> BlockPlace:
    """The block with that many blocks before it; None is the last.

    Raises:
        ValueError: there is no such block.
    """
    places = list_blocks(net)
    return places[block_number(number, len(places))]


def block_number(number: int | None, count: int) -> int:
    """The number of one of `count` blocks; None is the last.

    Raises:
        ValueError: there is no such block.
    """
    if number is None:
        return count - 1
    if not 0 <= number < count:
        raise ValueError(
            f"Block {number + 1} was asked for, but this model has {count} blocks; "
            f"choose 1 to {count}."
        )
    return number


def block_module(net: DPT, place: BlockPlace) -> ViTBlock | SwinBlock:
    """The module of a block."""
    module = net.get_submodule(place.name)
    assert isinstance(module, ViTBlock | SwinBlock)
    return module


def check_head(attn: nn.Module, head: int | None) -> None:
    """Refuse a head that a block's attention does not have.

    Raises:
        ValueError: there is no such head.
    """
    heads = int(getattr(attn, "heads"))  # noqa: B009 (nn.Module types its attributes as modules)
    if head is not None and not 0 <= head < heads:
        raise ValueError(
            f"Head {head + 1} was asked for, but this block has {heads} heads; choose 1 to "
            f"{heads}, or 0 for their average."
        )


def cell_at(point: Point, grid: tuple[int, int]) -> tuple[int, int]:
    """Row and column of the cell of a grid that a point lies in.

    Raises:
        ValueError: the point is not within 0 and 1.
    """
    if not all(0 <= place <= 1 for place in point):
        raise ValueError(
            f"The point is x = {point[0]:g}, y = {point[1]:g}; both go from 0 (left, top) to 1 "
            "(right, bottom)."
        )
    rows, columns = grid
    return min(int(point[1] * rows), rows - 1), min(int(point[0] * columns), columns - 1)


def as_map(output: Tensor, grid: tuple[int, int]) -> Tensor:
    """What a part of an encoder returns → a view B×C×rows×columns.

    Args:
        output: B×N×C patches, B×(1+N)×C with the cls token first, or B×rows×columns×C.
        grid: rows and columns of the patches; a B×rows×columns×C output has its own.
    """
    if output.ndim == 4:
        return output.permute(0, 3, 1, 2)
    patches = output[:, output.shape[1] - grid[0] * grid[1] :]
    return patches.transpose(1, 2).unflatten(2, grid)


def to_cpu(tensor: Tensor) -> Tensor:
    """A float32 copy in main memory: some outputs are added to in place later on."""
    return tensor.detach().to("cpu", torch.float32, copy=True)
