"""Models, images and tokens."""

import pytest
import torch
from torch import Tensor

from dpt_core import DepthModel
from tests.unit.stages.builders import ENCODERS, make_model, noise


@pytest.fixture(params=list(ENCODERS))
def model(request: pytest.FixtureRequest) -> DepthModel:
    return make_model(request.param)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, 3, 40, 48, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def tokens() -> Tensor:
    """B×C×rows×columns with a few strong directions, as trained tokens have."""
    mixed = noise(2, 20, 6, 7) * torch.linspace(3, 0.2, 20).view(-1, 1, 1)
    return torch.einsum("dc,bchw->bdhw", torch.linalg.qr(noise(20, 20, seed=1)).Q, mixed) + 5
