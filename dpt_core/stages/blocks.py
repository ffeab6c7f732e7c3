"""The transformer blocks of an encoder, in the order in which they run."""

from dataclasses import dataclass

from torch import nn

from ..depth.encoders.swin import Block as SwinBlock
from ..depth.encoders.vit import Block as ViTBlock
from ..depth.network import DPT


@dataclass(frozen=True)
class BlockInfo:
    """One transformer block.

    Attributes:
        name: its module's name, such as ``"imgencoder.stages.1.blocks.2"``.
        stage: index of its stage, 0 to 3.
        index: its index in the whole encoder, from 0.
    """

    name: str
    stage: int
    index: int


def list_blocks(net: DPT) -> list[BlockInfo]:
    """Every transformer block, in the order in which they run."""
    names = [
        (f"imgencoder.stages.{stage}.blocks.{block}", stage)
        for stage, depth in enumerate(net.config.encoder.stage_depths)
        for block in range(depth)
    ]
    return [BlockInfo(name, stage, index) for index, (name, stage) in enumerate(names)]


def find_block(net: DPT, index: int | None) -> BlockInfo:
    """The block with an index in the whole encoder; None is the last.

    Raises:
        ValueError: the encoder has no such block.
    """
    blocks = list_blocks(net)
    return blocks[block_index(index, len(blocks))]


def block_index(index: int | None, count: int) -> int:
    """The index of one of `count` blocks; None is the last.

    Raises:
        ValueError: there is no such block.
    """
    if index is None:
        return count - 1
    if not 0 <= index < count:
        raise ValueError(
            f"Block {index + 1} was requested, but this model has {count} blocks; "
            f"choose 1 to {count}."
        )
    return index


def block_module(net: DPT, block: BlockInfo) -> ViTBlock | SwinBlock:
    """The module of a block."""
    module = net.get_submodule(block.name)
    assert isinstance(module, ViTBlock | SwinBlock)
    return module


def stage_ends(net: DPT) -> list[int]:
    """How many blocks have run at the end of each of the four stages."""
    ends = [0, 0, 0, 0]
    for block in list_blocks(net):
        ends[block.stage] = block.index + 1
    return ends


def check_head(attn: nn.Module, head: int | None) -> None:
    """Refuse an attention head that a block does not have.

    Raises:
        ValueError: there is no such head.
    """
    heads = int(getattr(attn, "heads"))  # noqa: B009 (nn.Module types its attributes as modules)
    if head is not None and not 0 <= head < heads:
        raise ValueError(
            f"Head {head + 1} was requested, but this block has {heads} heads; choose 1 to "
            f"{heads}, or 0 for their average."
        )
