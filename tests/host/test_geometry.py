"""Depth to Geometry and back, in this process and with ComfyUI's own geometry nodes."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.builders import write_depth_anything

FORWARD, BACK = "DPTDepthToGeometry", "DPTGeometryToDepth"
DEFAULTS = {
    "camera": {"camera": "field of view", "degrees": 60.0},
    "near": 0.0,
    "far": 0.0,
    "normals": "controlnet",
}


@pytest.fixture
def metres(host) -> Any:
    """Two frames of a tilted wall, in the pack's own type."""
    ramp = torch.linspace(2, 5, 40).expand(30, 40)
    return host.pack.dpt_core.Depth(torch.stack([ramp, ramp.flip(1)]), "metres")


def forward(host: Any, depth: Any, **inputs: Any) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    return host.run(FORWARD, depth=depth, **{**DEFAULTS, **inputs}).result


def back(host: Any, geometry: dict[str, Any], unit: str = "metres") -> Any:
    return host.run(BACK, geometry=geometry, unit=unit).result[0]


def test_there_and_back(host, metres):
    image = torch.rand(2, 30, 40, 4)
    geometry, normal_map = forward(host, metres, image=image)
    assert torch.equal(geometry["image"], image[..., :3])
    assert geometry["points"].shape == normal_map.shape == (2, 30, 40, 3)
    assert geometry["mask"].all()
    depth = back(host, geometry)
    assert torch.equal(depth.values, metres.values)
    assert depth.kind == "metres"
    assert depth.valid is None
    again, _ = forward(host, depth, camera={"camera": "of the depth"})
    torch.testing.assert_close(again["points"], geometry["points"])


def test_the_depth_is_not_changed(host, metres):
    sky = torch.zeros_like(metres.values)
    sky[:, :5] = 1
    before = metres.values.clone()
    geometry, _ = forward(host, metres._replace(sky=sky))
    assert torch.equal(metres.values, before)
    assert torch.isinf(geometry["points"][:, :5]).all()
    assert not geometry["mask"][:, :5].any()


def test_pixels_without_a_point_come_back_as_not_valid(host, metres):
    valid = torch.ones_like(metres.values, dtype=torch.bool)
    valid[:, 3:9] = False
    geometry, _ = forward(host, metres._replace(valid=valid))
    depth = back(host, geometry)
    assert torch.equal(depth.valid, valid)
    assert torch.isfinite(depth.values).all()


def test_focal_lengths(host, metres):
    by_focal, _ = forward(host, metres, camera={"camera": "focal length", "millimetres": 18.0})
    by_angle, _ = forward(host, metres, camera={"camera": "field of view", "degrees": 90.0})
    torch.testing.assert_close(by_focal["points"], by_angle["points"])


def test_depth_anything_3_counts_in_pixels(host):
    geometry = {
        "depth": torch.full((2, 30, 40), 3.0),
        "image": torch.zeros(2, 30, 40, 3),
        "mode": "multiview",
        "sky": torch.zeros(2, 30, 40),
        "intrinsics": torch.tensor([[40.0, 0, 19.5], [0, 40, 14.5], [0, 0, 1]]).expand(1, 2, 3, 3),
    }
    depth = back(host, geometry, "no unit")
    assert depth.kind == "depth"
    wanted = torch.tensor([[1.0, 0, 0.5], [0, 40 / 30, 0.5], [0, 0, 1]])
    torch.testing.assert_close(depth.intrinsics, wanted.expand(2, 3, 3))


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"camera": {"camera": "of the depth"}}, "came without a camera"),
        ({"camera": {"camera": "field of view"}}, r"camera\.degrees is missing"),
        ({"camera": {"camera": "field of view", "degrees": 180.0}}, "field of view is 180"),
        ({"image": torch.rand(1, 30, 40, 3)}, "The image is 1×30×40 .* and the depth 2×30×40"),
    ],
)
def test_bad_input_gets_a_sentence(host, metres, inputs, sentence):
    with pytest.raises(ValueError, match=sentence):
        forward(host, metres, **inputs)


def test_relative_depth_needs_near_and_far(host, metres):
    relative = metres._replace(kind="inverse")
    with pytest.raises(ValueError, match="Give near and far"):
        forward(host, relative)
    geometry, _ = forward(host, relative, near=1.0, far=4.0)
    assert geometry["depth"].amin() == pytest.approx(1)
    assert geometry["depth"].amax() == pytest.approx(4)


# ---- a real server


CHECKPOINT = "geometry_tiny.safetensors"


@pytest.fixture
def checkpoint(server) -> Path:
    path = server.base / "models/dpt" / CHECKPOINT
    return path if path.exists() else write_depth_anything(path)


def save(images: list[Any]) -> dict[str, Any]:
    return {"class_type": "SaveImage", "inputs": {"images": images, "filename_prefix": "geometry"}}


def test_comfyuis_own_nodes_make_a_mesh_and_normals_of_it(server, checkpoint):
    small = (255 * np.random.default_rng(0).random((5, 7, 3))).astype(np.uint8)
    picture = Image.fromarray(small).resize((112, 84), Image.Resampling.BICUBIC)
    picture.save(server.base / "input" / "geometry.png")
    loader = {"checkpoint": CHECKPOINT, "precision": "auto", "variant": "auto", "max_depth": 0.0}
    estimate = {"model": ["2", 0], "image": ["1", 0], "resolution": 84, "batch_size": 0}
    scene = {"camera": "field of view", "camera.degrees": 60.0, "near": 1.0, "far": 4.0}
    scene |= {"depth": ["3", 0], "image": ["1", 0], "normals": "opengl"}
    render = {"style": "true depth: far = white", "range": "each image", "size": "as estimated"}
    render |= {"colormap": "grey", "invert": False, "gamma": 1.0, "near": 0.0, "far": 0.0}
    mesh = {"batch_index": 0, "decimation": 1, "discontinuity_threshold": 0.0, "texture": True}
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "geometry.png"}},
        "2": {"class_type": "DPTLoadCheckpoint", "inputs": loader},
        "3": {"class_type": "DPTEstimateDepth", "inputs": estimate},
        "4": {"class_type": FORWARD, "inputs": scene},
        "5": {"class_type": "MoGePointMapToMesh", "inputs": {"moge_geometry": ["4", 0], **mesh}},
        "6": {
            "class_type": "SaveGLB",
            "inputs": {"mesh": ["5", 0], "filename_prefix": "geometry"},
        },
        "7": {
            "class_type": "MoGeRender",
            "inputs": {"moge_geometry": ["4", 0], "output": "normal_opengl"},
        },
        "8": save(["7", 0]),
        "9": save(["4", 1]),
        "10": {"class_type": BACK, "inputs": {"geometry": ["4", 0], "unit": "metres"}},
        "11": {"class_type": "DPTRenderDepth", "inputs": {"depth": ["10", 0], **render}},
        "12": save(["11", 0]),
        "13": {
            "class_type": "MoGeRender",
            "inputs": {"moge_geometry": ["4", 0], "output": "depth"},
        },
        "14": save(["13", 0]),
    }
    entry = server.run(graph)
    assert entry["status"]["status_str"] == "success", entry["status"]

    # ComfyUI takes the slope between both neighbours, we the one on the same surface.
    theirs, ours = (server.pictures(entry, node)[0].astype(int) for node in ("8", "9"))
    assert np.median(np.abs(theirs - ours)[1:-1, 1:-1]) <= 4
    assert np.corrcoef(theirs[1:-1, 1:-1].ravel(), ours[1:-1, 1:-1].ravel())[0, 1] > 0.8
    far_is_white, near_is_white = (server.pictures(entry, node)[0] for node in ("12", "14"))
    assert far_is_white.min() == 0
    assert far_is_white.max() == 255
    assert np.corrcoef(far_is_white.ravel(), near_is_white.ravel())[0, 1] < -0.8

    vertices = read_glb_positions(server.base / "output" / find_glb(entry["outputs"]["6"]))
    assert vertices.shape == (84 * 112, 3)
    distance = -vertices[:, 2]  # glTF looks along −z
    assert distance.min() == pytest.approx(1, rel=1e-3)
    assert distance.max() == pytest.approx(4, rel=1e-3)
    right = vertices.reshape(84, 112, 3)[:, -1]
    expected = np.tan(np.radians(30)) * (1 - 1 / 112)
    np.testing.assert_allclose(right[:, 0] / -right[:, 2], expected, rtol=1e-4)


def find_glb(output: dict[str, Any]) -> str:
    """The file that SaveGLB reports."""
    return next(
        item["filename"]
        for items in output.values()
        for item in items
        if isinstance(item, dict) and item["filename"].endswith(".glb")
    )


def read_glb_positions(path: Path) -> np.ndarray:
    """N×3 vertices of the first mesh of a binary glTF 2.0 file."""
    data = path.read_bytes()
    (length,) = struct.unpack("<I", data[12:16])
    scene = json.loads(data[20 : 20 + length])
    binary = data[20 + length + 8 :]
    accessor = scene["accessors"][scene["meshes"][0]["primitives"][0]["attributes"]["POSITION"]]
    view = scene["bufferViews"][accessor["bufferView"]]
    start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
    return np.frombuffer(binary, np.float32, 3 * accessor["count"], start).reshape(-1, 3)
