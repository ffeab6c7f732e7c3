"""Files that are no checkpoint, files that are cut off, and headers that are wrong."""

import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest
import torch

import dpt_core
from tests.builders import write_checkpoint
from tests.unit.checkpoint.hostile.refusal import refusal

ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def safetensors_bytes(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


class TestNotACheckpoint:
    @pytest.mark.parametrize(
        ("content", "found"),
        [
            (b"", "is empty (0 bytes)"),
            (b"Entry not found", "a text file that begins with 'Entry not found'"),
            ("Zugriff verweigert – später".encode(), "a text file"),
            (b'{"error": {"code": 401, "reason": "gated"}}', "a text file"),
            (b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "an HTML page, not weights"),
            (b"\xef\xbb\xbf<html lang='en'>" + b"x" * 600, "an HTML page, not weights"),
            (b"<!-- 404 -->\n<p>Not found</p>", "an HTML page, not weights"),
            (
                b"version https://git-lfs.github.com/spec/v1\noid sha256:715fade1\nsize 99218434\n",
                "a Git LFS pointer",
            ),
            (b"GGUF\x03\0\0\0" + bytes(100), "a GGUF file"),
            (b"\x1f\x8b\x08\0" + bytes(100), "a packed archive (gzip)"),
            (b"\x89PNG\r\n\x1a\n" + bytes(100), "a picture"),
            (bytes(1000), "neither a safetensors nor a PyTorch file"),
            (b"\x10", "neither a safetensors nor a PyTorch file"),
        ],
    )
    @pytest.mark.parametrize("name", ["model.pth", "model.safetensors"])
    def test_content_is_named_whatever_the_suffix(self, content, found, name, tmp_path):
        path = tmp_path / name
        path.write_bytes(content)
        message = refusal(path)
        assert found in message
        assert "Download" in message

    def test_missing_file(self, tmp_path):
        assert "There is no file" in refusal(tmp_path / "gone.pth")

    def test_file_removed_while_it_is_read(self, depth_anything, tmp_path, monkeypatch):
        path = write_checkpoint(tmp_path / "going.pth", depth_anything)

        def remove_first(*_: Any, **__: Any) -> None:
            path.unlink(missing_ok=True)
            raise FileNotFoundError(2, "No such file or directory", str(path))

        monkeypatch.setattr(torch, "load", remove_first)
        assert "moved, renamed or deleted" in refusal(path)

    def test_folder_without_weights(self, tmp_path):
        (tmp_path / "checkpoints").mkdir()
        assert "holds neither model.safetensors" in refusal(tmp_path / "checkpoints")

    def test_file_that_may_not_be_read(self, depth_anything, tmp_path, monkeypatch):
        path = write_checkpoint(tmp_path / "secret.safetensors", depth_anything)
        open_file = Path.open

        def deny(self: Path, *arguments: Any, **options: Any) -> Any:
            if self == path:  # as root, mode 000 denies nothing
                raise PermissionError(13, "Permission denied", str(self))
            return open_file(self, *arguments, **options)

        monkeypatch.setattr(Path, "open", deny)
        assert "could not be read (Permission denied)" in refusal(path)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of Unix")
    def test_pipe_is_not_waited_for(self, tmp_path):
        os.mkfifo(tmp_path / "pipe.pth")
        assert "is not a file" in refusal(tmp_path / "pipe.pth")

    @pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such device")
    def test_device_is_not_read(self):
        assert "is not a file" in refusal(Path("/dev/zero"))


class TestCutOff:
    def test_safetensors_says_how_much_is_there(self, depth_anything, tmp_path):
        path = write_checkpoint(tmp_path / "part.safetensors", depth_anything)
        data = path.read_bytes()
        path.write_bytes(data[:-1000])
        total = len(data)
        assert f"cut off: {total - 1000:,} of {total:,} bytes" in refusal(path)
        path.write_bytes(data[: total // 2])
        assert f"cut off: {total // 2 / 1e6:.1f} of {total / 1e6:.1f} MB" in refusal(path)
        path.write_bytes(data[:500])  # within the header
        assert "cut off: 500 of" in refusal(path)

    @pytest.mark.parametrize("is_archive", [True, False])
    @pytest.mark.parametrize("share", [0.001, 0.3, 0.9, 0.9999])
    def test_pytorch_file(self, is_archive, share, depth_anything, tmp_path):
        path = tmp_path / "part.pth"
        torch.save(depth_anything, path, _use_new_zipfile_serialization=is_archive)
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
        assert "not a complete PyTorch file" in refusal(path)

    def test_published_file_is_known_by_its_name(self, depth_anything, tmp_path):
        path = write_checkpoint(tmp_path / "depth_anything_v2_vits.pth", depth_anything)
        path.write_bytes(path.read_bytes()[:300_000])
        assert "cut off: 0.3 of 99.2 MB" in refusal(path)

    def test_file_that_shrinks_while_it_is_read(self, depth_anything, tmp_path, monkeypatch):
        path = write_checkpoint(tmp_path / "shrinking.safetensors", depth_anything)
        empty = torch.empty

        def shrink(*arguments: Any, **options: Any) -> torch.Tensor:
            os.truncate(path, 20_000)
            return empty(*arguments, **options)

        monkeypatch.setattr(torch, "empty", shrink)
        with pytest.raises(dpt_core.CheckpointError, match=r"shrinking.*became shorter"):
            dpt_core.load(path)


class TestSafetensorsHeader:
    @pytest.mark.parametrize(
        ("header", "data", "found"),
        [
            (
                {"a": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]}},
                bytes(8),
                "cut off: 0.0 of 4,000.0 MB",
            ),
            ({"a": ONE, "b": {**ONE, "data_offsets": [4, 12]}}, bytes(12), "'b' overlaps"),
            ({"a": ONE, "b": {**ONE, "data_offsets": [12, 20]}}, bytes(20), "'b' follows a gap"),
            ({"a": ONE}, bytes(20), "12 bytes follow its last tensor"),
            ({"a": {**ONE, "data_offsets": [-8, 0]}}, bytes(8), "'a' an impossible"),
            ({"a": {**ONE, "data_offsets": [8, 0]}}, bytes(8), "'a' -8 bytes"),
            ({"a": {**ONE, "shape": [-2]}}, bytes(8), "'a' an impossible"),
            ({"a": {**ONE, "shape": [2.0]}}, bytes(8), "'a' an impossible"),
            ({"a": {**ONE, "shape": [True, 2]}}, bytes(8), "'a' an impossible"),
            ({"a": {**ONE, "shape": [1] * 99 + [2]}}, bytes(8), "'a' an impossible"),
            ({"a": {**ONE, "shape": [3]}}, bytes(8), "'a' 8 bytes for 3 values of 4 bytes"),
            ({"a": {**ONE, "shape": [2**40, 2**40]}}, bytes(8), "'a' 8 bytes"),
            (
                {"a": {"dtype": "F32", "shape": [0, 10**30], "data_offsets": [0, 0]}},
                b"",
                "'a' an impossible",
            ),
            ({"a": {**ONE, "dtype": "F4"}}, bytes(8), "'a' as F4"),
            ({"a": {**ONE, "dtype": ["F32"]}}, bytes(8), "'a' as ['F32']"),
            ({"a": {"dtype": "F32", "shape": [2]}}, bytes(8), "'a' is incomplete"),
            ({"a": [1, 2]}, bytes(8), "'a' is incomplete"),
            ({"a": {**ONE, "data_offsets": [0, 4, 8]}}, bytes(8), "'a' is incomplete"),
            ({"a": ONE, "__metadata__": "text"}, bytes(8), "__metadata__"),
            ({"a": ONE, "__metadata__": {"format": 1}}, bytes(8), "__metadata__"),
            ({"a": ONE, "__metadata__": {"format": "pt"}}, bytes(8), "1 tensors such as a"),
            ({}, b"", "holds no tensors"),
            ({"__metadata__": {"format": "pt"}}, b"", "holds no tensors"),
            ({"a\x1b[31m": ONE}, bytes(8), "an unusable name"),
            ({"\ud800": ONE}, bytes(8), "an unusable name"),
            ({"a" * 10_000: ONE}, bytes(8), "an unusable name"),
            (b'{"a": ' + json.dumps(ONE).encode(), bytes(8), "not JSON"),
            (b'{"a": ' + b'{"a": ' * 200_000, b"", "not JSON"),
            (b'{"a": ' + b"[" * 200_000, b"", "not JSON"),
            (b'{"a": {"shape": [' + b"9" * 5000 + b"]}}", b"", "not JSON"),
            (b'{"\xff": 1}', b"", "not JSON"),
            (b'{"a": 1, "a": 2}', b"", "two entries for 'a'"),
            (
                b'{"a": {"dtype": "F32", "shape": [2], "shape": [2], "data_offsets": [0, 8]}}',
                bytes(8),
                "two entries for 'shape'",
            ),
        ],
    )
    def test_wrong_header_is_refused(self, header, data, found, tmp_path):
        path = tmp_path / "lies.safetensors"
        path.write_bytes(safetensors_bytes(header, data))
        assert found in refusal(path)

    @pytest.mark.parametrize("length", [2**63, 10**9, 2**64 - 1])
    def test_huge_header(self, length, tmp_path):
        path = tmp_path / "huge.safetensors"
        path.write_bytes(struct.pack("<Q", length) + b'{"a": 1}')
        assert f"claims to have {length:,} bytes" in refusal(path)

    def test_header_longer_than_the_file(self, tmp_path):
        path = tmp_path / "long.safetensors"
        path.write_bytes(struct.pack("<Q", 5000) + b'{"a": 1}')
        assert "cut off: 16 of 5,008 bytes" in refusal(path)
