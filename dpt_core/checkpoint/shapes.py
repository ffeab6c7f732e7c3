"""Shapes of converted weights, and the error for a wrong one."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ..errors import CheckpointError


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
            CheckpointError: it is missing, has another rank, or no elements.
        """
        if name not in self._shapes:
            raise CheckpointError(
                f"{self.file} has no weights for {name}. It is incomplete; use the original "
                "checkpoint."
            )
        shape = self._shapes[name]
        if len(shape) != rank or 0 in shape:
            raise self.wrong(name, f"{rank} dimensions were expected")
        return shape

    def wrong(self, name: str, expected: str) -> CheckpointError:
        """The error for a weight of a wrong shape."""
        return CheckpointError(
            f"{self.file} has a wrong shape for {self._origin[name]}: "
            f"{format_shape(self._shapes[name])}, where {expected}. The file is damaged or is "
            "another model; use the original checkpoint."
        )


def format_shape(shape: tuple[int, ...]) -> str:
    """A shape as text: ``3×4``."""
    return "×".join(str(side) for side in shape) or "a single number"


def format_dtype(dtype: torch.dtype) -> str:
    """A number format as text: ``float32``."""
    return str(dtype).removeprefix("torch.")
