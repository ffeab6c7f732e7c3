"""A small picture and a tiny checkpoint."""

from pathlib import Path

import pytest

from tests.builders import write_depth_anything
from tests.unit.cli.command_line import save_photo


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write_depth_anything(tmp_path / "depth_anything_v2_vits.safetensors")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return save_photo(tmp_path / "photo.png")
