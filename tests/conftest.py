"""The builders of tiny checkpoints as fixtures."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dpt_core.checkpoint.family import Family
from tests import builders

torch.set_num_threads(1)  # the networks here are tiny: more threads cost more than they give


@pytest.fixture
def fixtures() -> Path:
    """The folder of recorded results and pictures."""
    return builders.FIXTURES


@pytest.fixture
def write_depth_anything() -> Callable[..., Path]:
    """A function that writes a tiny Depth Anything checkpoint: (path, dtype, **sizes) → path."""
    return builders.write_depth_anything


@pytest.fixture(scope="session")
def make_tiny() -> Callable[[Family], dict[str, Tensor]]:
    """A function that makes a tiny checkpoint in any family's layout."""
    return builders.tiny_checkpoint


@pytest.fixture(scope="session")
def save() -> Callable[[dict[str, Tensor], Path], Path]:
    """A function that saves a state dict: (state, path) → path; the suffix decides how."""
    return lambda state, path: builders.write_checkpoint(path, state)
