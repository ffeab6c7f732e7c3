"""Hostile and damaged files in PyTorch's own formats."""

import os
import pickle
import zipfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import dpt_core
from tests.unit.checkpoint.hostile.refusal import refusal


class Payload:
    """A pickle that would make a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.marker}",)


def save_archive(content: Any, path: Path) -> None:
    torch.save(content, path)


def save_legacy(content: Any, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


def save_bare(content: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(content, 2))


class TestPickle:
    @pytest.mark.parametrize("write", [save_archive, save_legacy, save_bare])
    def test_payload_does_not_run(self, write, tmp_path):
        path, marker = tmp_path / "payload.pth", tmp_path / "marker"
        write({"weight": torch.ones(2), "run": Payload(marker)}, path)
        message = refusal(path)
        assert not marker.exists()
        assert "asks for" in message
        assert "plain weights" in message

    @pytest.mark.parametrize("write", [save_archive, save_legacy])
    def test_harmless_object_is_named(self, write, tmp_path):
        path = tmp_path / "trainer.pth"
        write({"model": {"weight": torch.ones(2)}, "args": Namespace(epochs=3)}, path)
        message = refusal(path)
        assert "asks for argparse.Namespace" in message
        assert ".safetensors" in message

    def test_whole_module(self, tmp_path):
        path = tmp_path / "module.pth"
        torch.save(torch.nn.Linear(2, 2), path)
        assert "torch.nn.modules.linear.Linear" in refusal(path)

    @pytest.mark.filterwarnings("ignore")  # PyTorch advises against it, and so do we
    def test_torchscript(self, tmp_path):
        path = tmp_path / "script.pt"
        torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))
        assert "TorchScript" in refusal(path)

    @pytest.mark.parametrize("module", ["builtins", "__builtin__", "exceptions"])
    def test_memory_bomb_of_a_few_bytes(self, module, tmp_path):
        path = tmp_path / "bomb.pth"
        # bytearray(2**39)
        number = b"\x8a\x06\0\0\0\0\x80\0"
        path.write_bytes(b"\x80\x02c" + module.encode() + b"\nbytearray\n" + number + b"\x85R.")
        assert f"asks for {module}.bytearray" in refusal(path)

    @pytest.mark.parametrize(
        ("content", "found"),
        [
            ([torch.ones(2)], "a list"),
            (torch.ones(2), "a Tensor"),
            ({}, "an empty dictionary"),
            ({"epoch": 3, "model": {"name": "vits"}}, "'epoch', 'model'"),
            ({"model": {"model": {"model": {"model": {"model": {}}}}}}, "'model'"),
            ({1: torch.ones(2)}, "a dictionary"),
        ],
    )
    def test_no_state_dict(self, content, found, tmp_path):
        path = tmp_path / "other.pth"
        torch.save(content, path)
        message = refusal(path)
        assert "without a state dict" in message
        assert found in message

    @pytest.mark.parametrize(
        ("change", "found"),
        [
            (lambda t: t.expand(10**9, 3, 3), "claims more values for 'x'"),
            (lambda t: t.to("meta"), "claims more values for 'x'"),
            (lambda t: t.to_sparse(), "'x' as a sparse or quantised"),
            (lambda t: t.to_sparse_csr(), "'x' as a sparse or quantised"),
            (
                lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8),
                "'x' as a sparse or quantised",
            ),
        ],
    )
    @pytest.mark.filterwarnings("ignore")  # some of these are new in PyTorch, some are old
    def test_tensor_that_is_not_plain(self, change, found, tmp_path):
        path = tmp_path / "odd.pth"
        torch.save({"x": change(torch.ones(3, 3))}, path)
        assert found in refusal(path)

    def test_many_views_of_one_storage(self, tmp_path):
        path = tmp_path / "views.pth"
        storage = torch.ones(10_000)
        torch.save({f"x{i}": storage[i:] for i in range(1000)}, path)
        assert "claims more values for its 1,000 tensors" in refusal(path)

    def test_storage_that_claims_more_than_its_record(self, tmp_path):
        path = tmp_path / "record.pth"
        torch.save({"x": torch.ones(4), "y": torch.ones(1000)}, path)
        # x's storage and size, from 4 to a million; without a check sum
        self.rewrite(
            path,
            lambda data: data.replace(b"K\x04tq\x07Q", b"J\x40\x42\x0f\x00tq\x07Q").replace(
                b"K\x04\x85", b"J\x40\x42\x0f\x00\x85"
            ),
        )
        assert "not a complete PyTorch file" in refusal(path)

    def test_damaged_pickle_is_detected_by_its_checksum(self, tmp_path):
        path = tmp_path / "flipped.pth"
        torch.save({"first": torch.zeros(4), "second": torch.ones(4)}, path)
        data = path.read_bytes()
        flipped = data.replace(b"X\x01\0\0\x001", b"X\x01\0\0\x000")  # the second is the first's
        assert flipped != data
        path.write_bytes(flipped)
        assert "not a complete PyTorch file" in refusal(path)

    def test_file_without_checksums_loads(self, depth_anything, tmp_path):
        path = tmp_path / "unchecked.pth"
        torch.serialization.set_crc32_options(False)
        try:
            torch.save(depth_anything, path)
        finally:
            torch.serialization.set_crc32_options(True)
        assert dpt_core.load(path).inspection.family == "Depth Anything V1"

    def test_compressed_archive(self, tmp_path):
        path = tmp_path / "packed.pth"
        torch.save({"x": torch.zeros(1000)}, path)
        self.rewrite(path, lambda data: data, zipfile.ZIP_DEFLATED)
        assert "a packed archive" in refusal(path)

    def test_archive_that_claims_more_than_it_holds(self, tmp_path):
        path = tmp_path / "absurd.pth"
        torch.save({"x": torch.zeros(1000)}, path)
        data = bytearray(path.read_bytes())
        place = data.find(b"PK\x01\x02")
        while place >= 0:  # every entry of the list at the end: sizes of 4 GB
            data[place + 20 : place + 28] = b"\xfe\xff\xff\xff\xfe\xff\xff\xff"
            place = data.find(b"PK\x01\x02", place + 1)
        path.write_bytes(data)
        assert "a packed archive" in refusal(path)

    def test_archive_of_other_things(self, tmp_path):
        path = tmp_path / "release.pth"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("weights/model.pth", b"x" * 100)
        message = refusal(path)
        assert "an archive that holds 'weights/model.pth'" in message
        assert "Unpack it" in message

    @staticmethod
    def rewrite(path: Path, change: Callable, compression: int = zipfile.ZIP_STORED) -> None:
        """Write an archive again, its pickle changed."""
        with zipfile.ZipFile(path) as archive:
            records = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, data in records.items():
                archive.writestr(name, change(data) if name.endswith("data.pkl") else data)
