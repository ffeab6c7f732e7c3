"""The public names of the package."""

import subprocess
import sys
from pathlib import Path

import pytest

import dpt_core
from dpt_core import _MODULES


def test_every_public_name_is_there():
    assert set(dpt_core.__all__) == {"capture", *_MODULES}
    for name in dpt_core.__all__:
        assert callable(getattr(dpt_core, name))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'dpt_core' has no attribute 'depht'"):
        getattr(dpt_core, "depht")  # noqa: B009


@pytest.mark.parametrize("first", ["dpt_core.capture", "dpt_core.stages", "dpt_core.loading"])
def test_functions_are_not_hidden_by_modules_of_their_name(first: str):
    code = f"import {first}, dpt_core; "
    code += "assert all(callable(getattr(dpt_core, name)) for name in dpt_core.__all__)"
    root = Path(dpt_core.__file__).parent.parent
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)
