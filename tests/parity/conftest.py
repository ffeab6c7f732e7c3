"""The recorded results as fixtures, a test for every file."""

import pytest

from tests.builders import FIXTURES
from tests.parity.records import MORE, Record

FOLDERS = [FIXTURES / "golden", *MORE]


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
