"""Render Depth, in this process and in a real server."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import dpt_core
from dpt_core.render import RenderSettings, SteadyRange, colorize, control_image, render
from tests.builders import write_depth_anything

NODE = "DPTRenderDepth"
DEFAULTS = {
    "style": "ControlNet: near = white",
    "range": {"range": "each image"},
    "size": {"size": "as estimated"},
    "colormap": "grey",
    "invert": False,
    "gamma": 1.0,
    "near": 0.0,
    "far": 0.0,
}


@pytest.fixture
def depth(host) -> Any:
    """Two frames of inverse depth, in the pack's own type."""
    values = torch.rand(2, 20, 30, generator=torch.Generator().manual_seed(0)) * 9
    return host.pack.dpt_core.Depth(values, "inverse")


def run(host: Any, depth: Any, **inputs: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return host.run(NODE, depth=depth, **{**DEFAULTS, **inputs}).result


def test_the_defaults_are_the_picture_of_estimate_depth(host, depth):
    image, mask, valid = run(host, depth)
    assert image.shape == (2, 20, 30, 3)
    for channel in image.unbind(-1):
        assert torch.equal(channel, control_image(dpt_core.Depth(*depth)))
    assert torch.equal(mask, image[..., 0])
    assert valid.shape == mask.shape
    assert (valid == 1).all()


def test_colours_leave_the_mask_grey(host, depth):
    image, mask, _ = run(host, depth, colormap="turbo")
    torch.testing.assert_close(image, colorize(mask, "turbo"))


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ({"size": "exact", "width": 17, "height": 40, "fit": "crop"}, (40, 17)),
        ({"size": "multiple", "multiple": 16}, (16, 32)),
        ({"size": "pixel perfect", "width": 45, "height": 45, "outer": False}, (45, 68)),
        ({"size": "pixel perfect", "width": 45, "height": 45, "outer": True}, (30, 45)),
    ],
)
def test_sizes(host, depth, size, shape):
    image, mask, valid = run(host, depth, size=size)
    assert image.shape == (2, *shape, 3)
    assert mask.shape == valid.shape == (2, *shape)


@pytest.mark.parametrize(
    "span",
    [
        {"range": "whole batch"},
        {"range": "steady video", "window": 3},
        {"range": "percentiles", "low": 5.0, "high": 95.0, "of": "whole batch"},
        {"range": "fixed", "low": 1.0, "high": 8.0},
    ],
)
def test_every_range_stays_within_a_picture(host, depth, span):
    _, mask, _ = run(host, depth, range=span)
    assert mask.min() == pytest.approx(0, abs=1e-6)
    assert mask.max() == pytest.approx(1, abs=1e-6)


def test_the_valid_mask_comes_out(host, depth):
    valid = torch.ones(2, 20, 30, dtype=torch.bool)
    valid[1, :, :10] = False
    image, _, out = run(host, depth._replace(valid=valid))
    assert torch.equal(out.bool(), valid)
    assert (image[1, :, :10] == 0).all()


def test_a_gray_video_takes_the_memory_of_its_grey_values(host):
    depth = host.pack.dpt_core.Depth(torch.rand(50, 30, 40), "inverse")
    image, mask, valid = run(host, depth)
    assert image.untyped_storage().nbytes() == mask.untyped_storage().nbytes() == mask.nbytes
    assert image.untyped_storage().data_ptr() == mask.untyped_storage().data_ptr()
    assert valid.untyped_storage().nbytes() <= 4


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"range": {"range": "steady video"}}, r"range\.window is missing"),
        ({"style": "metres"}, "Give near and far"),
        ({"style": "metres", "near": 1.0, "far": 9.0, "colormap": "turbo"}, "colour map turbo"),
        ({"style": "FLUX.1-Depth: raw", "invert": True}, "invert and gamma"),
    ],
)
def test_bad_input_gets_a_sentence(host, depth, inputs, sentence):
    with pytest.raises(ValueError, match=sentence):
        run(host, depth, **inputs)


# ---- a real server


CHECKPOINT = "render_depth_tiny.safetensors"


@pytest.fixture
def checkpoint(server) -> Path:
    path = server.base / "models/dpt" / CHECKPOINT
    return path if path.exists() else write_depth_anything(path)


def save_clip(server: Any, frames: int, name: str) -> torch.Tensor:
    """A moving picture in the input folder; → B×3×H×W as the server will read it."""
    wide = np.random.default_rng(0).random((8, 14, 3))
    picture = Image.fromarray((255 * wide).astype(np.uint8)).resize(
        (240, 98), Image.Resampling.BICUBIC
    )
    clip = [picture.crop((4 * n, 0, 4 * n + 126, 98)) for n in range(frames)]
    rest: dict[str, Any] = {"save_all": True, "append_images": clip[1:]} if frames > 1 else {}
    clip[0].save(server.base / "input" / name, lossless=True, **rest)
    return torch.from_numpy(np.stack([np.asarray(frame) for frame in clip])).movedim(-1, 1) / 255


def graph(image: str, save: dict[str, Any], **render: Any) -> dict[str, Any]:
    loader = {"checkpoint": CHECKPOINT, "precision": "auto", "variant": "auto", "max_depth": 0.0}
    settings = {name: value for name, value in DEFAULTS.items() if name not in ("range", "size")}
    settings |= {"range": "each image", "size": "as estimated", **render}
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": image}},
        "2": {"class_type": "DPTLoadCheckpoint", "inputs": loader},
        "3": {
            "class_type": "DPTEstimateDepth",
            "inputs": {"model": ["2", 0], "image": ["1", 0], "resolution": 0, "batch_size": 0},
        },
        "4": {"class_type": NODE, "inputs": {"depth": ["3", 0], **settings}},
        "5": {
            "class_type": "SaveImageAdvanced",
            "inputs": {"images": ["4", 0], "filename_prefix": "render", **save},
        },
    }


def test_a_steady_video_and_a_second_rendering_from_the_cache(server, checkpoint):
    images = save_clip(server, 9, "clip.webp")
    save = {"format": "png", "format.bit_depth": "8-bit", "format.input_color_space": "sRGB"}
    steady = {"range": "steady video", "range.window": 4}
    entry = server.run(graph("clip.webp", save, **steady))
    assert entry["status"]["status_str"] == "success", entry["status"]

    depth = dpt_core.load(checkpoint).infer(images)
    frames = list(render(depth, RenderSettings(range=SteadyRange(4))))
    for picture, frame in zip(server.pictures(entry, "5"), frames, strict=True):
        grey = picture.reshape(*picture.shape[:2], -1)[..., 0]
        assert np.abs(grey - frame.grey.numpy() * 255).max() < 1.5

    entry = server.run(graph("clip.webp", save, colormap="turbo", **steady))
    cached = next(m for kind, m in entry["status"]["messages"] if kind == "execution_cached")
    assert {"1", "2", "3"} <= set(cached["nodes"])  # depth is not estimated again
    assert server.pictures(entry, "5")[0].shape == (98, 126, 3)
