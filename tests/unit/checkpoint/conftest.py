"""A sound checkpoint, for tests that damage it."""

import pytest
import torch

from dpt_core.depth.families import FAMILIES
from tests.builders import tiny_checkpoint


@pytest.fixture
def depth_anything() -> dict[str, torch.Tensor]:
    """A Depth Anything checkpoint in the official layout, of 4 blocks."""
    return tiny_checkpoint(FAMILIES[0])
