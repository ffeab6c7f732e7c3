"""Strange, broken and hostile files: every one ends in one helpful sentence, fast."""

import json
import os
import pickle
import struct
import time
import zipfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import dpt_core
from dpt_core.checkpoint import known
from dpt_core.depth.families import FAMILIES

IMAGE = torch.rand(1, 3, 40, 56, generator=torch.Generator().manual_seed(1))
METRIC_CONFIG = (
    '{"model_type": "depth_anything", "depth_estimation_type": "metric", "max_depth": %s}'
)
ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def refusal(path: Path, **hints: Any) -> str:
    """What `load` says of a file that it refuses; `inspect` must refuse it too."""
    started = time.process_time()
    with pytest.raises(dpt_core.CheckpointError):
        dpt_core.inspect(path, **hints)
    with pytest.raises(dpt_core.CheckpointError) as caught:
        dpt_core.load(path, **hints)
    assert time.process_time() - started < 2
    message = str(caught.value)
    assert path.name in message
    assert message.endswith(".")
    assert len(message) < 800
    return message


def safetensors_bytes(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.fixture
def depth_anything(make_tiny) -> dict[str, torch.Tensor]:
    """A Depth Anything checkpoint in the official layout, of 4 blocks."""
    return make_tiny(FAMILIES[0])


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

    def test_file_removed_while_it_is_read(self, depth_anything, save, tmp_path, monkeypatch):
        path = save(depth_anything, tmp_path / "going.pth")

        def remove_first(*_: Any, **__: Any) -> None:
            path.unlink(missing_ok=True)
            raise FileNotFoundError(2, "No such file or directory", str(path))

        monkeypatch.setattr(torch, "load", remove_first)
        assert "moved, renamed or deleted" in refusal(path)

    def test_folder_without_weights(self, tmp_path):
        (tmp_path / "checkpoints").mkdir()
        assert "holds neither model.safetensors" in refusal(tmp_path / "checkpoints")

    def test_file_that_may_not_be_read(self, depth_anything, save, tmp_path, monkeypatch):
        path = save(depth_anything, tmp_path / "secret.safetensors")
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
    def test_safetensors_says_how_much_is_there(self, depth_anything, save, tmp_path):
        path = save(depth_anything, tmp_path / "part.safetensors")
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

    def test_published_file_is_known_by_its_name(self, depth_anything, save, tmp_path):
        path = save(depth_anything, tmp_path / "depth_anything_v2_vits.pth")
        path.write_bytes(path.read_bytes()[:300_000])
        assert "cut off: 0.3 of 99.2 MB" in refusal(path)

    def test_file_that_shrinks_while_it_is_read(self, depth_anything, save, tmp_path, monkeypatch):
        path = save(depth_anything, tmp_path / "shrinking.safetensors")
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
            ({"a\x1b[31m": ONE}, bytes(8), "a name that is no name"),
            ({"\ud800": ONE}, bytes(8), "a name that is no name"),
            ({"a" * 10_000: ONE}, bytes(8), "a name that is no name"),
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
    def test_lie_is_named(self, header, data, found, tmp_path):
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

    def test_damaged_pickle_is_told_by_its_check_sum(self, tmp_path):
        path = tmp_path / "flipped.pth"
        torch.save({"first": torch.zeros(4), "second": torch.ones(4)}, path)
        data = path.read_bytes()
        flipped = data.replace(b"X\x01\0\0\x001", b"X\x01\0\0\x000")  # the second is the first's
        assert flipped != data
        path.write_bytes(flipped)
        assert "not a complete PyTorch file" in refusal(path)

    def test_file_without_check_sums_loads(self, depth_anything, tmp_path):
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


class TestBlocks:
    def test_a_thousand_million_blocks(self, depth_anything, save, tmp_path):
        key = "pretrained.blocks.1000000000.norm1.weight"
        path = save({**depth_anything, key: torch.ones(64)}, tmp_path / "many.safetensors")
        assert "none numbered 4" in refusal(path)

    def test_number_with_more_digits_than_an_integer(self, depth_anything, save, tmp_path):
        key = f"pretrained.blocks.{'9' * 400}.norm1.weight"
        path = save({**depth_anything, key: torch.ones(64)}, tmp_path / "digits.safetensors")
        assert "none numbered 4" in refusal(path)

    def test_thousands_of_blocks(self, depth_anything, save, tmp_path):
        more = {f"pretrained.blocks.{i}.norm1.weight": torch.ones(1) for i in range(20_000)}
        path = save({**more, **depth_anything}, tmp_path / "thousands.safetensors")
        assert "20,000 numbered blocks" in refusal(path)

    def test_gap(self, depth_anything, save, tmp_path):
        state = {k: t for k, t in depth_anything.items() if ".blocks.2." not in k}
        assert "none numbered 2" in refusal(save(state, tmp_path / "gap.pth"))

    def test_too_few(self, depth_anything, save, tmp_path):
        state = {k: t for k, t in depth_anything.items() if ".blocks.3." not in k}
        assert "3 blocks" in refusal(save(state, tmp_path / "few.pth"))


@pytest.mark.parametrize("number", range(len(FAMILIES)))
class TestEveryLayout:
    def test_missing_key(self, number, make_tiny, save, tmp_path):
        state = make_tiny(FAMILIES[number])
        key = next(key for key in state if "refinenet2" in key or "fusion_stage.layers.2" in key)
        del state[key]
        message = refusal(save(state, tmp_path / "incomplete.safetensors"))
        assert f"lacks keys that this kind of model needs: {key}" in message

    def test_missing_signature_names_the_family(self, number, make_tiny, save, tmp_path):
        family = FAMILIES[number]
        for key in family.signature:
            state = make_tiny(family)
            del state[key]
            message = refusal(save(state, tmp_path / "unsigned.safetensors"))
            assert key in message
            assert family.name in message

    def test_unknown_key(self, number, make_tiny, save, tmp_path):
        state = {**make_tiny(FAMILIES[number]), "aux_head.conv.weight": torch.ones(2)}
        message = refusal(save(state, tmp_path / "more.safetensors"))
        assert "does not have: aux_head.conv.weight" in message

    @pytest.mark.parametrize(
        ("dtype", "found"),
        [(torch.int8, "int8, whole numbers"), (torch.complex64, "complex64, complex numbers")],
    )
    def test_weights_that_are_not_floating_point(
        self, number, dtype, found, make_tiny, save, tmp_path
    ):
        state = make_tiny(FAMILIES[number])
        key = next(key for key in state if "refinenet1" in key or "fusion_stage.layers.3" in key)
        state[key] = state[key].to(dtype)
        assert f"{key} as {found}" in refusal(save(state, tmp_path / "kinds.pth"))

    @pytest.mark.parametrize("shape", [(), (0,), (3,), (1, 2, 3, 4, 5)])
    def test_wrong_shape_names_the_key(self, number, shape, make_tiny, save, tmp_path):
        state = make_tiny(FAMILIES[number])
        key = next(key for key in state if "refinenet3" in key or "fusion_stage.layers.1" in key)
        state[key] = torch.ones(shape)
        message = refusal(save(state, tmp_path / "shapes.safetensors"))
        assert f"wrong shape for {key}" in message

    @pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
    def test_other_floating_point_formats_load(self, number, dtype, make_tiny, save, tmp_path):
        state = {key: tensor.to(dtype) for key, tensor in make_tiny(FAMILIES[number]).items()}
        exact = {key: tensor.float() for key, tensor in state.items()}
        model = dpt_core.load(save(state, tmp_path / "format.pth"))
        expected = dpt_core.load(save(exact, tmp_path / "exact.safetensors"))
        assert model.inspection.dtype == str(dtype).removeprefix("torch.")
        for found, wanted in zip(
            model.net.state_dict().values(), expected.net.state_dict().values(), strict=True
        ):
            assert torch.equal(found, wanted)


def test_two_layouts_at_once(make_tiny, save, tmp_path):
    state = make_tiny(FAMILIES[1]) | make_tiny(FAMILIES[0])
    message = refusal(save(state, tmp_path / "mixed.pth"))
    assert "the keys of two models at once" in message


def test_values_too_large_for_float16_are_named(depth_anything, save, tmp_path):
    key = "pretrained.blocks.1.norm2.weight"
    depth_anything[key][5] = 1e5
    path = save(depth_anything, tmp_path / "large.safetensors")
    with pytest.warns(UserWarning, match="too large for float16") as caught:
        dpt_core.load(path, dtype=torch.float16)
    assert key in str(caught[0].message)
    assert "Choose float32 or bfloat16" in str(caught[0].message)
    assert not dpt_core.load(path).inspection.warnings


def test_large_finite_weights_are_no_reason_to_warn(depth_anything, save, tmp_path):
    depth_anything["pretrained.mask_token"].fill_(3e38)
    depth_anything["pretrained.blocks.0.ls1.gamma"].fill_(3e38)  # their sum is infinite
    path = save(depth_anything, tmp_path / "large.safetensors")
    assert not dpt_core.load(path).inspection.warnings


FOREIGN = {
    "Segment Anything (SAM)": "image_encoder.blocks.0.attn.qkv.weight",
    "SAM-HQ": "image_encoder.blocks.0.attn.qkv.weight mask_decoder.hf_token.weight",
    "MobileSAM": "image_encoder.patch_embed.seq.0.c.weight "
    "image_encoder.layers.1.blocks.0.mlp.fc1.bias",
    "SAM 2": "image_encoder.trunk.blocks.0.attn.qkv.weight memory_attention.layers.0.norm1.weight",
    "SAM 3": "detector.backbone.vision_backbone.trunk.blocks.0.attn.qkv.weight",
    "a Stable Diffusion checkpoint": "model.diffusion_model.input_blocks.0.0.weight "
    "first_stage_model.decoder.mid.block_1.conv1.weight cond_stage_model.transformer.text_model.x",
    "a FLUX model": "double_blocks.0.img_attn.qkv.weight single_blocks.0.linear1.weight",
    "a LoRA": "lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight",
    "a ControlNet": "control_model.zero_convs.0.0.weight control_model.input_hint_block.0.weight",
    "a VAE": "encoder.down.0.block.0.norm1.weight decoder.mid.block_1.conv1.weight",
    "a ZoeDepth model": "core.core.pretrained.blocks.0.ls1.gamma seed_bin_regressor._net.0.weight",
    "Video Depth Anything": "pretrained.cls_token head.motion_modules.0.temporal_transformer.x",
    "Prompt Depth Anything": "pretrained.cls_token "
    "depth_head.scratch.refinenet1.resConfUnit_depth.0.weight",
    "a multi-view Depth Anything 3 model": "backbone.pretrained.camera_token cam_dec.fc_t.weight",
    "Depth Pro": "encoder.patch_encoder.blocks.0.attn.qkv.weight fov.head.0.weight",
    "MoGe": "encoder.backbone.blocks.0.attn.qkv.weight points_head.input_blocks.0.weight",
    "MiDaS v2.1": "pretrained.layer1.0.weight scratch.layer1_rn.weight",
    "a DINOv2 encoder": "cls_token blocks.0.ls1.gamma blocks.0.mlp.fc1.weight",
    "a CLIP vision encoder": "vision_model.encoder.layers.0.self_attn.k_proj.weight",
    "a text encoder": "encoder.block.0.layer.0.SelfAttention.q.weight shared.weight",
    "an upscaler": "conv_first.weight body.0.rdb1.conv1.weight",
    "an IP-Adapter": "image_proj.proj.weight ip_adapter.1.to_k_ip.weight",
}
FOREIGN_MORE = (  # other layouts of those
    ("Segment Anything (SAM)", "vision_encoder.layers.0.attn.qkv.weight"),
    ("SAM 2", "vision_encoder.backbone.blocks.0.attn.qkv.weight"),
    ("a FLUX model", "model.diffusion_model.double_blocks.0.img_attn.qkv.weight"),
    ("a FLUX model", "single_transformer_blocks.0.attn.to_k.weight"),
    ("a Stable Diffusion checkpoint", "conditioner.embedders.0.transformer.text_model.x"),
    ("a LoRA", "transformer.single_transformer_blocks.0.attn.to_k.lora_A.weight"),
    ("a LoRA", "unet.down_blocks.0.attentions.0.processor.to_q_lora.down.weight"),
    ("a LoRA", "unet.down_blocks.0.attentions.0.to_q.lora.up.weight"),
    ("a LoRA", "base_model.model.layers.0.self_attn.q_proj.lora_B.default.weight"),
    ("a LoRA", "lora_te1_text_model_encoder_layers_0_mlp_fc1.alpha"),
    ("a LoRA", "lycoris.blocks_0.hada_w1_a"),
    ("a ControlNet", "controlnet_cond_embedding.conv_in.weight down_blocks.0.resnets.0.x"),
    ("a ControlNet", "zero_convs.0.0.weight input_hint_block.0.weight"),
    ("an image generation model", "down_blocks.0.attentions.0.norm.weight conv_in.weight"),
    ("a VAE", "decoder.mid_block.resnets.0.conv1.weight"),
    ("a VAE", "decoder.up_blocks.0.resnets.0.conv1.weight"),
    ("a ZoeDepth model", "seed_bin_regressors.nyu._net.0.weight attractors.nyu.0._net.0.weight"),
    ("a ZoeDepth model", "metric_head.seed_bin_regressor.conv1.weight"),
    ("Prompt Depth Anything", "neck.fusion_stage.layers.0.prompt_depth_layer.convolution1.bias"),
    ("a multi-view Depth Anything 3 model", "model.da3_metric.backbone.pretrained.cls_token"),
    ("Depth Pro", "depth_pro.encoder.patch_encoder.model.layer.0.norm1.weight"),
    ("MoGe", "backbone.blocks.0.attn.qkv.weight head.upsample_blocks.0.0.0.weight"),
    ("a DINOv2 encoder", "encoder.layer.0.layer_scale1.lambda1 embeddings.cls_token"),
    ("a DINOv2 encoder", "blocks.0.0.ls1.gamma blocks.0.0.mlp.w12.weight"),
    ("a text encoder", "text_model.encoder.layers.0.self_attn.k_proj.weight"),
    ("a text encoder", "model.layers.0.self_attn.q_proj.weight lm_head.weight"),
    ("a text encoder", "model.layers.0.self_attn.q_proj.weight"),
    ("an upscaler", "model.0.weight model.1.sub.0.RDB1.conv1.0.weight"),
)


@pytest.mark.parametrize(("name", "keys"), [*FOREIGN.items(), *FOREIGN_MORE])
def test_other_architectures_are_named(name, keys, save, tmp_path):
    state = {key: torch.ones(2) for key in keys.split()}
    message = refusal(save(state, tmp_path / "other.safetensors"))
    assert f"other.safetensors is {name}" in message
    assert "Depth Anything" in message  # what to choose instead


def test_architecture_that_nobody_knows(save, tmp_path):
    state = {f"layer{i}.weight": torch.ones(2) for i in range(9)}
    message = refusal(save(state, tmp_path / "mystery.pth"))
    assert "9 tensors such as layer0.weight, layer1.weight, layer2.weight" in message


class TestTrainingCheckpoint:
    @pytest.mark.parametrize(
        "name", ["state_dict", "model", "model_state_dict", "ema", "params_ema"]
    )
    def test_model_inside_is_loaded(self, name, depth_anything, save, tmp_path):
        whole = dpt_core.load(save(depth_anything, tmp_path / "whole.safetensors"))
        path = tmp_path / "training.ckpt"
        content = {
            "epoch": 7,
            "loss": torch.tensor(0.3),  # a tensor beside the model
            "rng_state": torch.get_rng_state(),
            "optimizer": {"state": {0: {"exp_avg": torch.ones(5)}}, "param_groups": [{"lr": 1e-4}]},
            name: {f"module.{k}": torch.nn.Parameter(t) for k, t in depth_anything.items()},
        }
        torch.save(content, path)
        model = dpt_core.load(path)
        assert model.inspection.family == "Depth Anything V1"
        assert not any(parameter.requires_grad for parameter in model.net.parameters())
        assert torch.equal(model.infer(IMAGE).values, whole.infer(IMAGE).values)

    def test_nested_twice(self, depth_anything, tmp_path):
        path = tmp_path / "nested.pth"
        torch.save({"model": {"state_dict": depth_anything}, "optimizer": {}}, path)
        assert dpt_core.inspect(path).family == "Depth Anything V1"


class TestAfterLoading:
    @pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
    def test_model_does_not_depend_on_its_file(self, suffix, depth_anything, save, tmp_path):
        path = save(depth_anything, tmp_path / f"replaced{suffix}")
        model = dpt_core.load(path)
        before = model.infer(IMAGE).values
        with path.open("r+b") as file:
            file.write(os.urandom(path.stat().st_size))
        assert torch.equal(model.infer(IMAGE).values, before)
        path.write_bytes(b"")
        assert torch.equal(model.infer(IMAGE).values, before)

    @pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="reads Linux's own list")
    @pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
    def test_file_is_neither_open_nor_mapped(self, suffix, depth_anything, save, tmp_path):
        path = save(depth_anything, tmp_path / f"released{suffix}")
        model = dpt_core.load(path)
        inspection = dpt_core.inspect(path)
        targets = [os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.exists()]
        assert str(path) not in targets
        assert path.name not in Path("/proc/self/maps").read_text()
        assert model.inspection.bytes == inspection.bytes


class TestFolder:
    def write_shards(self, folder: Path, state: dict, names: dict[str, str]) -> Path:
        folder.mkdir()
        for file in set(names.values()):
            save_file({k: state[k] for k in state if names[k] == file}, folder / file)
        index = folder / "model.safetensors.index.json"
        index.write_text(json.dumps({"weight_map": names}))
        return folder

    def test_shards_load(self, depth_anything, tmp_path):
        names = {key: f"model-{i % 2}.safetensors" for i, key in enumerate(depth_anything)}
        folder = self.write_shards(tmp_path / "hub", depth_anything, names)
        assert dpt_core.load(folder).inspection.family == "Depth Anything V1"

    def test_missing_shard(self, depth_anything, tmp_path):
        names = {key: f"model-{i % 2}.safetensors" for i, key in enumerate(depth_anything)}
        folder = self.write_shards(tmp_path / "hub", depth_anything, names)
        (folder / "model-1.safetensors").unlink()
        with pytest.raises(dpt_core.CheckpointError, match=r"There is no file at .*model-1"):
            dpt_core.load(folder)

    def test_key_in_two_shards(self, depth_anything, tmp_path):
        names = {key: f"model-{i % 2}.safetensors" for i, key in enumerate(depth_anything)}
        folder = self.write_shards(tmp_path / "hub", depth_anything, names)
        twice = next(iter(depth_anything))
        extra = {k: t for k, t in depth_anything.items() if names[k].endswith("1.safetensors")}
        save_file({**extra, twice: depth_anything[twice]}, folder / "model-1.safetensors")
        with pytest.raises(dpt_core.CheckpointError, match=rf"{twice}, which another part"):
            dpt_core.load(folder)

    @pytest.mark.parametrize(
        "index",
        [
            "",
            "[]",
            "{}",
            '{"weight_map": 3}',
            '{"weight_map": {"a": 1}}',
            '{"weight_map": {"a": "../secret.safetensors"}}',
            "[" * 100_000,
        ],
    )
    def test_damaged_index(self, index, tmp_path):
        (tmp_path / "model.safetensors.index.json").write_text(index)
        with pytest.raises(dpt_core.CheckpointError, match=r"model.safetensors.index.json (is|po)"):
            dpt_core.load(tmp_path)

    @pytest.mark.parametrize(
        "config",
        [
            "not json",
            "[" * 100_000,
            *(METRIC_CONFIG % value for value in ("1e999", "true", "-1", "1" + "0" * 400)),
            '{"model_type": "depth_anything", "backbone_config": 3}',
        ],
    )
    def test_nonsense_in_the_config_is_no_evidence(self, config, depth_anything, save, tmp_path):
        path = save(depth_anything, tmp_path / "model.safetensors")
        (tmp_path / "config.json").write_text(config)
        (tmp_path / "preprocessor_config.json").write_text('{"image_std": [0, 0, 0]}')
        inspection = dpt_core.load(path).inspection
        assert inspection.config.max_depth is None
        assert inspection.config.image.std == (0.229, 0.224, 0.225)


class TestDoctor:
    def test_known_file_and_its_licence(self, depth_anything, save, tmp_path, monkeypatch):
        path = save(depth_anything, tmp_path / "renamed.pth")
        digest = known._sha256(path, path.stat().st_size, 0)
        published = known.KnownFile("da_tiny.pth", "Apache-2.0", path.stat().st_size, digest, "v1")
        monkeypatch.setattr(known, "KNOWN", (published,))
        inspection = dpt_core.inspect(path)
        assert inspection.known == published
        assert "known file: da_tiny.pth, Apache-2.0" in inspection.summary()

    def test_file_of_the_same_size_is_not_taken_for_it(
        self, depth_anything, save, tmp_path, monkeypatch
    ):
        path = save(depth_anything, tmp_path / "renamed.pth")
        published = known.KnownFile("da_tiny.pth", "MIT", path.stat().st_size, "0" * 64, "v1")
        monkeypatch.setattr(known, "KNOWN", (published,))
        assert dpt_core.inspect(path).known is None

    def test_summary_says_what_it_is(self, depth_anything, save, tmp_path):
        summary = dpt_core.inspect(save(depth_anything, tmp_path / "model.safetensors")).summary()
        for part in ("Depth Anything V1", "official keys", "4 blocks", "float32", "42 pixels"):
            assert part in summary
