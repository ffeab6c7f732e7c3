"""How a file is refused: in one helpful sentence, fast."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import dpt_core
from dpt_core.depth.families import FAMILIES
from tests.builders import tiny_checkpoint


@pytest.fixture
def depth_anything() -> dict[str, torch.Tensor]:
    """A Depth Anything checkpoint in the official layout, of 4 blocks."""
    return tiny_checkpoint(FAMILIES[0])


def _refusal(path: Path, **hints: Any) -> str:
    """What `load` says of a file that it refuses; `inspect` must refuse it too."""
    started = time.process_time()
    with pytest.raises(dpt_core.CheckpointError):
        dpt_core.inspect(path, **hints)
    with pytest.raises(dpt_core.CheckpointError) as caught:
        dpt_core.load(path, **hints)
    assert time.process_time() - started < 2
    message = str(caught.value)
    assert path.name in message
    assert message.endswith(".")
    assert len(message) < 800
    return message


@pytest.fixture
def refusal() -> Callable[..., Any]:
    """A function (path, **hints) → the sentence in which a file is refused."""
    return _refusal
