"""Experiments: a network changed from outside, by hooks that go when the block ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import nn

from ..depth.network import DPT
from ..depth.reassemble import SCALES
from .blocks import find_block


@dataclass(frozen=True)
class Ablation:
    """What to change.

    Attributes:
        fusion: factors on the four maps that enter the fusion, finest first; 0 leaves a
            stage out, 1 changes nothing, more overdrives it.
        skip_blocks: numbers of the transformer blocks (from 0) that are left out.
    """

    fusion: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    skip_blocks: tuple[int, ...] = ()


@contextmanager
def ablate(net: DPT, changes: Ablation) -> Iterator[None]:
    """Let a network run changed within the block; after it, it is as before.

    Who watches the network sees the changed values, whether they began to before or after.

    Raises:
        ValueError: there is no such block.
    """
    handles = []
    try:
        for scale, factor in zip(SCALES, changes.fusion, strict=True):
            if factor != 1:
                part = net.get_submodule(f"reassemble.{scale}")
                handles.append(part.register_forward_hook(_scale_by(factor), prepend=True))
        for number in changes.skip_blocks:
            block = net.get_submodule(find_block(net, number).name)
            handles.append(block.register_forward_hook(_return_input, prepend=True))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _scale_by(factor: float) -> Any:
    def hook(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        return output * factor

    return hook


def _return_input(_module: nn.Module, inputs: Any, _output: Any) -> Any:
    return inputs[0]
