"""The pack in a real ComfyUI server, over HTTP."""

import io
import json
import time
import urllib.parse
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import dpt_core
from dpt_core.render import control_image
from tests.builders import write_depth_anything

ROOT = Path(__file__).parents[2]
CHECKPOINT = "depth_anything_v2_tiny.safetensors"
CACHED = "execution_cached"


@pytest.fixture
def checkpoint(server) -> Path:
    """A tiny checkpoint in the server's models/dpt."""
    path = server.base / "models/dpt" / CHECKPOINT
    return path if path.exists() else write_depth_anything(path)


def photograph(seed: int, height: int = 120, width: int = 161) -> np.ndarray:
    """H×W×3 8-bit, with large shapes and fine ones."""
    generator = np.random.default_rng(seed)
    layers = [generator.random((side, side, 3)) for side in (3, 8, 40)]
    pictures = [Image.fromarray((255 * layer).astype(np.uint8)) for layer in layers]
    scaled = [np.asarray(p.resize((width, height), Image.Resampling.BICUBIC)) for p in pictures]
    return np.mean(scaled, axis=0).astype(np.uint8)


def save_frames(path: Path, frames: list[np.ndarray]) -> str:
    """One picture, or several in one file, without loss."""
    first, *rest = (Image.fromarray(frame) for frame in frames)
    first.save(path, save_all=bool(rest), append_images=rest, lossless=True)
    return path.name


def graph(image: str, checkpoint: str = CHECKPOINT, **estimate: Any) -> dict[str, Any]:
    """LoadImage → Load DPT Checkpoint → Estimate Depth → SaveImage, in API format."""
    loader = {"checkpoint": checkpoint, "precision": "auto", "variant": "auto", "max_depth": 0.0}
    inputs = {"model": ["2", 0], "image": ["1", 0], "resolution": 70, "batch_size": 0, **estimate}
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": image}},
        "2": {"class_type": "DPTLoadCheckpoint", "inputs": loader},
        "3": {"class_type": "DPTEstimateDepth", "inputs": inputs},
        "4": {
            "class_type": "SaveImage",
            "inputs": {"images": ["3", 1], "filename_prefix": "depth"},
        },
    }


def expected(checkpoint: Path, frames: list[np.ndarray], resolution: int) -> np.ndarray:
    """B×H×W whole numbers in 0..255, by the library alone."""
    images = torch.from_numpy(np.stack(frames)).movedim(-1, 1).float() / 255
    grey = control_image(dpt_core.load(checkpoint).infer(images, resolution))
    return (255 * grey.numpy()).astype(int)


@pytest.mark.parametrize(("count", "suffix"), [(1, ".png"), (60, ".webp")])
def test_pictures_are_the_librarys(server, checkpoint, count, suffix):
    frames = [photograph(seed) for seed in range(count)]
    name = save_frames(server.base / "input" / f"frames{count}{suffix}", frames)

    entry = server.run(graph(name))

    assert entry["status"]["status_str"] == "success", entry["status"]
    pictures = server.pictures(entry, "4")
    assert len(pictures) == count
    for picture, wanted in zip(pictures, expected(checkpoint, frames, 70), strict=True):
        assert picture.shape == (120, 161, 3)
        assert picture.min() == 0
        assert picture.max() == 255
        assert (picture == picture[..., :1]).all()
        assert np.abs(picture[..., 0] - wanted).max() <= 1


def test_loader_shows_what_it_found_and_again_when_cached(server, checkpoint):
    name = save_frames(server.base / "input/shown.png", [photograph(1)])
    summary = dpt_core.inspect(checkpoint).summary()
    for _ in range(2):
        entry = server.run(graph(name))
        (text,) = entry["outputs"]["2"]["dpt_summary"]
        assert summary in text


def test_nodes_are_listed(server, checkpoint):
    write_depth_anything(server.base / "extra/from_yaml.pth")  # named in extra_model_paths.yaml
    loader = server.get_json("/object_info/DPTLoadCheckpoint")["DPTLoadCheckpoint"]
    assert loader["display_name"] == "Load DPT Checkpoint"
    assert loader["output"] == ["DPT_MODEL"]
    options = loader["input"]["required"]["checkpoint"][1]["options"]
    assert {CHECKPOINT, "from_yaml.pth"} <= set(options)
    estimate = server.get_json("/object_info/DPTEstimateDepth")["DPTEstimateDepth"]
    assert estimate["display_name"] == "Estimate Depth"
    assert estimate["output"] == ["DPT_DEPTH", "IMAGE"]


def test_help_pages_script_and_templates_are_served(server):
    pack = "dpt-depth"
    for page in sorted((ROOT / "web/docs").glob("*.md")):
        assert server.get(f"/extensions/{pack}/docs/{page.name}") == page.read_bytes()
    assert f"/extensions/{pack}/load_checkpoint/extension.js" in server.get_json("/extensions")
    names = server.get_json("/api/workflow_templates")[pack]
    assert names
    for name in names:
        address = f"/api/workflow_templates/{pack}/{urllib.parse.quote(name)}"
        assert json.loads(server.get(address + ".json"))["nodes"]
        Image.open(io.BytesIO(server.get(address + ".jpg"))).verify()


def test_a_bad_checkpoint_is_the_nodes_error(server):
    path = server.base / "models/dpt/page.pth"
    path.write_bytes(b"<!DOCTYPE html><html></html>")
    name = save_frames(server.base / "input/bad.png", [photograph(2)])

    entry = server.run(graph(name, "page.pth"))

    (error,) = (m for kind, m in entry["status"]["messages"] if kind == "execution_error")
    with pytest.raises(dpt_core.CheckpointError) as wanted:
        dpt_core.load(path)
    assert error["node_type"] == "DPTLoadCheckpoint"
    assert error["exception_message"].strip() == str(wanted.value)


def test_a_checkpoint_that_is_gone_is_the_nodes_error(server):
    name = save_frames(server.base / "input/gone.png", [photograph(3)])
    answer = server.post("/prompt", {"prompt": graph(name, "gone.pth")})
    (error,) = answer["node_errors"]["2"]["errors"]
    assert "There is no gone.pth in the model folders" in error["details"]


def test_a_checkpoint_that_changes_on_disk_is_loaded_again(server):
    path = write_depth_anything(server.base / "models/dpt/depth_anything_v2_changing.safetensors")
    frames = [photograph(4)]
    nodes = graph(save_frames(server.base / "input/changing.png", frames), path.name)
    server.run(nodes)
    (cached,) = (m for kind, m in server.run(nodes)["status"]["messages"] if kind == CACHED)
    assert set(cached["nodes"]) == {"1", "2", "3", "4"}

    write_depth_anything(path, hidden=96)  # another model under the same name
    entry = server.run(nodes)
    (cached,) = (m for kind, m in entry["status"]["messages"] if kind == CACHED)
    assert set(cached["nodes"]) == {"1"}
    (picture,) = server.pictures(entry, "4")
    assert np.abs(picture[..., 0] - expected(path, frames, 70)[0]).max() <= 1


def test_cancel_works_within_a_chunk(server, checkpoint):
    """All frames are one chunk here, so only a stop inside the network can be quick."""
    frames = [photograph(seed, 64, 64) for seed in range(32)]
    name = save_frames(server.base / "input/cancel.webp", frames)
    whole = graph(name, resolution=518, batch_size=len(frames))
    start = time.monotonic()
    assert server.run(whole)["status"]["status_str"] == "success"
    whole_time = time.monotonic() - start

    whole["3"]["inputs"]["resolution"] = 504  # as much work, and not cached
    prompt = server.queue(whole)
    time.sleep(whole_time / 4)
    start = time.monotonic()
    server.post("/interrupt", {})
    entry = server.wait(prompt)
    stop_time = time.monotonic() - start

    kinds = [kind for kind, _ in entry["status"]["messages"]]
    assert "execution_interrupted" in kinds
    assert not entry["outputs"].get("4")
    assert stop_time < whole_time / 3, f"stopped after {stop_time:.1f} of {whole_time:.1f} s"
    # And the next run is not harmed.
    assert server.run(graph(name, resolution=28))["status"]["status_str"] == "success"
