"""A ramp of 4,096 levels, from a model through ComfyUI's advanced save node into files."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

import dpt_core
from tests.builders import write_checkpoint, write_depth_anything

LEVELS = 4096
HEIGHT = 40
CHECKPOINT = "depth_anything_v2_ramp.safetensors"
PNG = {"format": "png", "format.bit_depth": "16-bit", "format.input_color_space": "sRGB"}
EXR = {"format": "exr", "format.bit_depth": "32-bit float", "format.input_color_space": "linear"}


def to_ramp(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """A checkpoint of the same shapes whose depth is larger where the picture is brighter.

    Two channels of a token hold its patch's brightness; the blocks add nothing, and of the
    decoder one channel is left, which passes the third stage on, smoothly enlarged.
    """
    state = {name: torch.zeros_like(tensor) for name, tensor in weights.items()}
    state["pretrained.norm.weight"] += 1.0
    patches = state["pretrained.patch_embed.proj.weight"]
    patches[0] += 0.1 / patches[0].numel()
    patches[1] -= 0.1 / patches[1].numel()
    state["pretrained.pos_embed"][..., 2] += 1.0  # so that the norm keeps the brightness
    state["pretrained.pos_embed"][..., 3] -= 1.0
    head = "depth_head.scratch"
    state["depth_head.projects.2.weight"][0, 0] = 1.0
    state["depth_head.projects.2.bias"][0] = 10.0  # above every ReLU
    state[f"{head}.output_conv2.2.weight"][0, 0] = 1.0
    for number in range(1, 5):
        state[f"{head}.refinenet{number}.out_conv.weight"][0, 0] = 1.0
    for layer in ("layer3_rn", "output_conv1", "output_conv2.0"):
        state[f"{head}.{layer}.weight"][0, 0, 1, 1] = 1.0
    return state


@pytest.fixture
def ramp(server: Any) -> np.ndarray:
    """What the library makes of the picture that the server gets. H×W of 0 to 1, float64."""
    row = np.linspace(0, 255.999, LEVELS).astype(np.uint8)  # a picture has 256 levels
    picture = np.broadcast_to(row[:, None], (HEIGHT, LEVELS, 3))
    Image.fromarray(picture).save(server.base / "input/wide.png")
    path = write_depth_anything(server.base / "models/dpt" / CHECKPOINT)
    write_checkpoint(path, to_ramp(load_file(path)))
    depth = dpt_core.load(path).infer(
        torch.from_numpy(picture.copy()).movedim(-1, 0)[None] / 255, 14
    )
    values = depth.values[0].double()
    assert (values.diff(dim=1) > 0).all()
    return ((values - values.min()) / (values.max() - values.min())).numpy()


def saved(server: Any, form: dict[str, str]) -> np.ndarray:
    """H×W×3 as the file has it."""
    av = pytest.importorskip("av", reason="needs PyAV, to read 16-bit PNG and EXR files")
    loader = {"checkpoint": CHECKPOINT, "precision": "auto", "variant": "auto", "max_depth": 0.0}
    look = {"style": "ControlNet: near = white", "range": "each image", "size": "as estimated"}
    look |= {"colormap": "grey", "invert": False, "gamma": 1.0, "near": 0.0, "far": 0.0}
    estimate = {"model": ["2", 0], "image": ["1", 0], "resolution": 14, "batch_size": 0}
    nodes = [
        ("LoadImage", {"image": "wide.png"}),
        ("DPTLoadCheckpoint", loader),
        ("DPTEstimateDepth", estimate),
        ("DPTRenderDepth", {"depth": ["3", 0], **look}),
        ("SaveImageAdvanced", {"images": ["4", 0], "filename_prefix": "ramp", **form}),
    ]
    entry = server.run(
        {str(n): {"class_type": kind, "inputs": i} for n, (kind, i) in enumerate(nodes, start=1)}
    )
    assert entry["status"]["status_str"] == "success", entry["status"]
    (file,) = entry["outputs"]["5"]["images"]
    with av.open(str(server.base / "output" / file["filename"])) as container:
        frame = next(container.decode(video=0))
        return frame.to_ndarray(format="rgb48le" if form is PNG else "gbrpf32le")


@pytest.mark.parametrize(("form", "white"), [(PNG, 65535), (EXR, 1.0)], ids=["png", "exr"])
def test_every_level_of_a_ramp_is_in_the_file(server, ramp, form, white):
    picture = saved(server, form)
    assert picture.shape == (*ramp.shape, 3)
    assert (picture == picture[..., :1]).all()  # grey
    grey = picture[..., 0].astype(np.float64)
    assert (np.diff(grey, axis=1) > 0).all()  # all distinct, in order
    assert len(np.unique(grey[0])) == LEVELS
    assert (grey.min(), grey.max()) == (0, white)
    step = 1 if form is PNG else 1e-6
    assert np.abs(grey - ramp * white).max() <= step
