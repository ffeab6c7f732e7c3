"""The header of a tiny checkpoint."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.builders import depth_anything_shapes


@pytest.fixture
def depth_anything_header() -> dict[str, Sequence[Any]]:
    """Keys and shapes of a tiny Depth Anything checkpoint of 12 blocks."""
    return {key: ["float32", *shape] for key, shape in depth_anything_shapes().items()}
