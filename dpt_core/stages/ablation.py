"""Ablation: run a network with stages scaled or blocks left out, and restore it afterwards."""

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
    """What to scale or leave out.

    Attributes:
        fusion: factors for the four maps that enter the fusion, finest first: 0 leaves a
            stage out, 1 keeps it as it is, more than 1 exaggerates it.
        skip_blocks: indices (from 0) of the transformer blocks to leave out.
    """

    fusion: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    skip_blocks: tuple[int, ...] = ()


@contextmanager
def ablate(net: DPT, ablation: Ablation) -> Iterator[None]:
    """Apply an ablation while the context is open.

    `capture` sees the ablated values, whether it was opened before or after.

    Raises:
        ValueError: the network has no such block.
    """
    handles = []
    try:
        for scale, factor in zip(SCALES, ablation.fusion, strict=True):
            if factor != 1:
                module = net.get_submodule(f"reassemble.{scale}")
                handles.append(module.register_forward_hook(_scale_by(factor), prepend=True))
        for index in ablation.skip_blocks:
            block = net.get_submodule(find_block(net, index).name)
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
