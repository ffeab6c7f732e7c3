"""A model does not depend on its file once it is loaded."""

import os
from pathlib import Path

import pytest
import torch

import dpt_core
from tests.builders import write_checkpoint

IMAGE = torch.rand(1, 3, 40, 56, generator=torch.Generator().manual_seed(1))


class TestAfterLoading:
    @pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
    def test_model_does_not_depend_on_its_file(self, suffix, depth_anything, tmp_path):
        path = write_checkpoint(tmp_path / f"replaced{suffix}", depth_anything)
        model = dpt_core.load(path)
        before = model.infer(IMAGE).values
        with path.open("r+b") as file:
            file.write(os.urandom(path.stat().st_size))
        assert torch.equal(model.infer(IMAGE).values, before)
        path.write_bytes(b"")
        assert torch.equal(model.infer(IMAGE).values, before)

    @pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="reads Linux's own list")
    @pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
    def test_file_is_neither_open_nor_mapped(self, suffix, depth_anything, tmp_path):
        path = write_checkpoint(tmp_path / f"released{suffix}", depth_anything)
        model = dpt_core.load(path)
        inspection = dpt_core.inspect(path)
        targets = [os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.exists()]
        assert str(path) not in targets
        assert path.name not in Path("/proc/self/maps").read_text()
        assert model.inspection.bytes == inspection.bytes
