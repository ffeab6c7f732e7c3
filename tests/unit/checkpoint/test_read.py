"""Weights in every file format, wrapper and number format, and what reading them costs."""

import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from dpt_core import CheckpointError, load
from dpt_core.checkpoint.read import read
from dpt_core.loading import inspect
from tests.builders import write_checkpoint, write_depth_anything, write_shards
from tests.published import write_header

State = dict[str, Tensor]
NAME = "depth_anything_v2_vits"
IMAGES = torch.rand(1, 3, 30, 40, generator=torch.Generator().manual_seed(0))
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux's /proc")


@pytest.fixture
def state(tmp_path: Path) -> State:
    return torch.load(write_depth_anything(tmp_path / "plain.pth"), weights_only=True)


def depth(path: Path) -> Tensor:
    return load(path).infer(IMAGES, 70).values


def prefixed(state: State, prefix: str) -> State:
    return {prefix + name: tensor for name, tensor in state.items()}


WRAPPERS: dict[str, Callable[[State], Any]] = {
    "bare": lambda state: state,
    "OrderedDict": OrderedDict,
    "model": lambda state: {"model": state, "epoch": 3},
    "state_dict": lambda state: {"state_dict": prefixed(state, "module."), "args": {"lr": 1e-4}},
    "model_state_dict": lambda state: {"model_state_dict": state},
    "beside an optimizer": lambda state: {
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.1}]},
        "model": state,
    },
    "two levels": lambda state: {"model": {"state_dict": prefixed(state, "model.")}},
    "module": lambda state: prefixed(state, "module."),
    "compiled": lambda state: prefixed(state, "module._orig_mod.model."),
    "with numbers": lambda state: {**state, "epoch": 12, "best": 0.5},
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "legacy"])
def test_wrapped_pytorch_files_are_unwrapped(
    wrapper: str, is_zip: bool, state: State, tmp_path: Path
) -> None:
    path = tmp_path / f"{NAME}.pth"
    torch.save(WRAPPERS[wrapper](state), path, _use_new_zipfile_serialization=is_zip)
    found = read(path)
    assert found.tensors.keys() == state.keys()
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in state.items())
    assert found.bytes == path.stat().st_size
    assert inspect(path).config == inspect(tmp_path / "plain.pth", variant="v2").config


def test_all_formats_give_the_same_depth(state: State, tmp_path: Path) -> None:
    expected = depth(tmp_path / "plain.pth")
    for suffix in (".pt", ".bin", ".ckpt"):
        torch.save(state, tmp_path / f"{NAME}{suffix}")
        assert torch.equal(depth(tmp_path / f"{NAME}{suffix}"), expected)
    save_file(prefixed(state, "module."), tmp_path / f"{NAME}.safetensors", {"note": "x"})
    assert torch.equal(depth(tmp_path / f"{NAME}.safetensors"), expected)
    assert read(tmp_path / f"{NAME}.safetensors").metadata == {"note": "x"}
    assert read(tmp_path / f"{NAME}.safetensors").prefix == "module."
    (tmp_path / f"{NAME}.safetensors").rename(tmp_path / f"{NAME}.pth")  # the content decides
    assert torch.equal(depth(tmp_path / f"{NAME}.pth"), expected)


def test_a_prefix_of_some_keys_alone_is_not_removed(state: State, tmp_path: Path) -> None:
    torch.save(prefixed(state, "model.") | {"extra": torch.zeros(1)}, tmp_path / "x.pth")
    assert "model.pretrained.cls_token" in read(tmp_path / "x.pth").tensors


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_half_precision_repacks_give_what_their_rounded_weights_give(
    dtype: torch.dtype, suffix: str, state: State, tmp_path: Path
) -> None:
    half = write_checkpoint(
        tmp_path / f"half/{NAME}{suffix}", {k: t.to(dtype) for k, t in state.items()}
    )
    rounded = {k: t.to(dtype).float() for k, t in state.items()}
    full = write_checkpoint(tmp_path / f"full/{NAME}{suffix}", rounded)
    assert torch.equal(depth(half), depth(full))
    assert not torch.equal(depth(half), depth(tmp_path / "plain.pth"))
    assert inspect(half).dtype == str(dtype).removeprefix("torch.")
    assert all(p.dtype == torch.float32 for p in load(half).net.parameters())


@pytest.mark.parametrize("stem", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("sharded", [False, True])
def test_folders_of_the_hugging_face_kind(
    stem: str, sharded: bool, state: State, tmp_path: Path
) -> None:
    folder = tmp_path / "Depth-Anything-V2-Small"
    folder.mkdir()
    if sharded:
        root, suffix = stem.split(".")
        names = {key: f"{root}-{i % 2}.{suffix}" for i, key in enumerate(state)}
        write_shards(folder, state, names, f"{stem}.index.json")
    else:
        write_checkpoint(folder / stem, state)
    (folder / "config.json").write_text('{"model_type": "other"}')
    assert torch.equal(depth(folder), depth(tmp_path / "plain.pth"))
    inspection = inspect(folder)
    assert "'Depth-Anything-V2-Small'" in inspection.hints[0].evidence
    weights = (file for file in folder.iterdir() if file.suffix != ".json")
    assert inspection.bytes == sum(file.stat().st_size for file in weights)


def test_a_folder_without_weights_and_a_missing_file_say_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match=r"empty .*model\.safetensors"):
        read(tmp_path / "empty")
    with pytest.raises(CheckpointError, match=r"no file at .*gone\.pth"):
        read(tmp_path / "gone.pth")
    index = tmp_path / "empty" / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"x": "absent.safetensors"}}')
    with pytest.raises(CheckpointError, match=r"absent\.safetensors"):
        read(tmp_path / "empty")


@linux_only
def test_inspect_reads_the_header_alone(manifests: dict[str, Any], tmp_path: Path) -> None:
    header = manifests["depth_anything_v2_vitg"]["state_dict"]
    path = write_header(tmp_path / "depth_anything_v2_vitg.safetensors", header)
    assert path.stat().st_size > 5_000_000_000
    inspect(path)  # whatever is read once

    def characters_read() -> int:
        lines = Path("/proc/self/io").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("rchar")).split()[1])

    before = characters_read()
    inspection = inspect(path)
    assert characters_read() - before < 500_000
    assert inspection.parameters > 1_200_000_000


@linux_only
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_nothing_stays_open_or_mapped(suffix: str, state: State, tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / f"{NAME}{suffix}", state)
    model = load(path)
    inspection = inspect(path)
    assert path.name not in Path("/proc/self/maps").read_text()
    assert path not in [fd.resolve() for fd in Path("/proc/self/fd").iterdir()]
    expected = model.infer(IMAGES, 70).values
    path.write_bytes(b"\0" * path.stat().st_size)  # somebody downloads it again
    assert torch.equal(model.infer(IMAGES, 70).values, expected)
    assert inspection.config == model.config


MEASURE_PEAK = """
import sys
from pathlib import Path
import torch, dpt_core

def status(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(name)).split()[1])

dpt_core.load(sys.argv[1])  # what is needed once, whatever the size
before = status("VmRSS")
model = dpt_core.load(sys.argv[2])
sys.stdout.write(str((status("VmHWM") - before) / model.inspection.parameters))
"""


@linux_only
@pytest.mark.parametrize(
    ("suffix", "dtype", "limit"),
    [
        (".safetensors", torch.float32, 1.1),
        (".pth", torch.float32, 1.1),
        # The allocator may keep some of the half-precision weights' pages until the end.
        (".safetensors", torch.float16, 1.4),
    ],
)
def test_memory_holds_the_weights_once(
    suffix: str, dtype: torch.dtype, limit: float, tmp_path: Path
) -> None:
    small = write_depth_anything(tmp_path / f"depth_anything_v2_small{suffix}", dtype)
    sizes = {"width": 448, "hidden": 1024}  # 21 million numbers
    large = write_depth_anything(tmp_path / f"depth_anything_v2_large{suffix}", dtype, **sizes)
    command = [sys.executable, "-c", MEASURE_PEAK, str(small), str(large)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(result.stdout) < limit * 4  # bytes a number, in float32
