"""What the published checkpoints hold, as fixtures."""

from typing import Any

import pytest

from tests.builders import FIXTURES
from tests.published import read_manifests


@pytest.fixture(scope="session")
def manifests() -> dict[str, dict[str, Any]]:
    """Those of the published depth checkpoints, by name."""
    return read_manifests()


@pytest.fixture(scope="session")
def sam_manifests() -> dict[str, dict[str, Any]]:
    """Those of the published Segment Anything checkpoints, by name."""
    return read_manifests(FIXTURES / "sam")
