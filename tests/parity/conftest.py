"""Recorded results of the official implementations (see ``tests/fixtures/README.md``)."""

from collections.abc import Callable
from pathlib import Path

import pytest
from torch import Tensor

from dpt_core import DepthModel
from tests.parity.records import MORE, Record, load_record, relative_error

FIXTURES = Path(__file__).parents[1] / "fixtures" / "golden"
FOLDERS = [FIXTURES, *MORE]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that ask for `depth_record` or `image_record` once for every file of the kind."""
    wanted = {"depth_record": ("depth_anything", "midas", "hf_"), "image_record": ("preprocess",)}
    for fixture, starts in wanted.items():
        if fixture in metafunc.fixturenames:
            found = sorted(p for folder in FOLDERS for p in folder.glob("*.safetensors"))
            paths = [p for p in found if p.name.startswith(starts) and "sam" not in p.name]
            ids = [f"{path.parent.name}-{path.stem}" for path in paths]
            metafunc.parametrize(fixture, paths, indirect=True, ids=ids)


@pytest.fixture
def depth_record(request: pytest.FixtureRequest) -> Record:
    return Record.read(request.param)


@pytest.fixture
def image_record(request: pytest.FixtureRequest) -> Record:
    return Record.read(request.param)


@pytest.fixture(name="load_record")
def _load_record(tmp_path: Path) -> Callable[[Record | Path], DepthModel]:
    """A function that loads the model whose weights a record (or the file of one) holds."""
    return lambda record: load_record(record, tmp_path)


@pytest.fixture
def error() -> Callable[[Tensor, Tensor], float]:
    return relative_error
