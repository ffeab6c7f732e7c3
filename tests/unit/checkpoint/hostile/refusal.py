"""How a file is refused: in one helpful sentence, fast."""

import time
from pathlib import Path
from typing import Any

import pytest

import dpt_core


def refusal(path: Path, **overrides: Any) -> str:
    """What `load` says of a file that it refuses; `inspect` must refuse it too."""
    started = time.process_time()
    with pytest.raises(dpt_core.CheckpointError):
        dpt_core.inspect(path, **overrides)
    with pytest.raises(dpt_core.CheckpointError) as caught:
        dpt_core.load(path, **overrides)
    assert time.process_time() - started < 2
    message = str(caught.value)
    assert path.name in message
    assert message.endswith(".")
    assert len(message) < 800
    return message
