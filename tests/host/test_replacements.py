"""Graphs built on other packs' depth preprocessors, run without these packs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import dpt_core
from dpt_core.depth.families import FAMILIES
from dpt_core.render import OutputSize, control_image, resize
from tests.builders import tiny_checkpoint, write_checkpoint, write_depth_anything

ANYTHING = "depth_anything_v2_vitb_fp32.safetensors"
MIDAS = "dpt_hybrid-midas-501f0c75.pt"
OURS = {
    "DepthAnythingV2Preprocessor": "DPTDepthMap",
    "DepthAnythingPreprocessor": "DPTDepthMap",
    "MiDaS-DepthMapPreprocessor": "DPTDepthMap",
    "DownloadAndLoadDepthAnythingV2Model": "DPTLoadCheckpoint",
    "DepthAnything_V2": "DPTEstimateDepth",
}


def photograph() -> Image.Image:
    small = (255 * np.random.default_rng(4).random((5, 8, 3))).astype(np.uint8)
    return Image.fromarray(small).resize((150, 100), Image.Resampling.BICUBIC)


def test_a_bare_file_name_finds_a_checkpoint_in_a_subfolder(host, tmp_path):
    write_depth_anything(tmp_path / "models/dpt/somewhere/tiny_v2.safetensors")
    node = host.nodes["DPTDepthMap"]
    assert node.validate_inputs("tiny_v2.safetensors") is True
    assert "There is no gone.pth" in node.validate_inputs("gone.pth")
    image = torch.rand(2, 45, 61, 3)
    inputs = {"checkpoint": "tiny_v2.safetensors", "resolution": 64, "model_resolution": 56}
    picture = host.run("DPTDepthMap", image=image, **inputs).result[0]
    assert picture.shape == (2, 64, 87, 3)
    assert picture.min() >= 0
    assert picture.max() <= 1


def test_replacements_fit_the_nodes(host):
    replacements = host.pack.nodes.replacements.replacements()
    assert {one.old_node_id: one.new_node_id for one in replacements} == OURS
    for one in replacements:
        schema = host.nodes[one.new_node_id].GET_SCHEMA()
        inputs = {mapping["new_id"] for mapping in one.input_mapping}
        assert inputs == {part.id for part in schema.inputs}
        first = one.output_mapping[0]["new_idx"] if one.output_mapping else 0
        wanted = "DPT_MODEL" if "Load" in one.new_node_id else "IMAGE"
        assert schema.outputs[first].get_io_type() == wanted
        if wanted == "DPT_MODEL":  # it feeds a node that is replaced as well
            assert one.output_mapping is None


# ---- a real server


def expected(path: Path, size: tuple[int, int], resolution: int | None = None) -> np.ndarray:
    """H×W, 0 to 255: what the library makes of the photograph."""
    images = torch.from_numpy(np.asarray(photograph()).copy()).movedim(-1, 0).unsqueeze(0) / 255
    grey = control_image(dpt_core.load(path).infer(images, resolution))[0]
    return resize(grey, OutputSize(size, "stretch")).numpy() * 255


@pytest.fixture
def models(server) -> Iterator[Path]:
    """models/dpt with the files that the other packs' nodes name."""
    photograph().save(server.base / "input/replaced.png")
    folder = server.base / "models/dpt"
    hybrid = next(f for f in FAMILIES if f.name == "MiDaS hybrid" and f.layout == "official")
    files = [
        write_depth_anything(folder / ANYTHING),
        write_checkpoint(folder / MIDAS, tiny_checkpoint(hybrid)),
    ]
    yield folder
    for path in files:
        path.unlink()


@pytest.mark.parametrize(
    ("node", "inputs", "file", "size", "resolution"),
    [
        (
            "DepthAnythingV2Preprocessor",
            {"ckpt_name": ANYTHING, "resolution": 128},
            *(ANYTHING, (128, 192), None),
        ),
        (
            "MiDaS-DepthMapPreprocessor",
            {"a": 6.28, "bg_threshold": 0.1, "resolution": 192},
            *(MIDAS, (192, 288), 192),
        ),
        ("DepthAnything_V2", {"da_model": ["2", 0]}, ANYTHING, (100, 150), None),
    ],
)
def test_the_same_picture_comes_out(server, models, node, inputs, file, size, resolution):
    assert OURS.keys() <= server.get_json("/node_replacements").keys()
    image = {"images" if "da_model" in inputs else "image": ["1", 0]}
    loader = {"class_type": "DownloadAndLoadDepthAnythingV2Model", "inputs": {"model": file}}
    graph: dict[str, Any] = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "replaced.png"}},
        **({"2": loader} if "da_model" in inputs else {}),
        "3": {"class_type": node, "inputs": {**image, **inputs}},
        "9": {
            "class_type": "SaveImage",
            "inputs": {"images": ["3", 0], "filename_prefix": "replaced"},
        },
    }
    entry = server.run({number: {**one, "_meta": {}} for number, one in graph.items()})
    assert entry["status"]["status_str"] == "success", entry["status"]
    (picture,) = server.pictures(entry, "9")
    assert picture.shape == (*size, 3)
    assert np.abs(picture - expected(models / file, size, resolution)[..., None]).max() < 2


def test_the_editor_offers_the_replacement(browse, server, models, tmp_path):
    """In classic and in Vue rendering; needs Node, Chromium and playwright-core."""
    shown = browse("replacements.mjs", "replaced.png", ANYTHING, tmp_path)
    assert [one["name"] for one in shown] == ["classic", "vue"]
    sizes = {ANYTHING: (128, 192), MIDAS: (192, 288)}
    for one in shown:
        assert one["values"] == [[ANYTHING, 128, 0], [MIDAS, 192, 192]]
        for file, name in zip(sizes, one["pictures"], strict=True):
            picture = np.asarray(Image.open(server.base / "temp" / name))
            resolution = 192 if file == MIDAS else None
            wanted = expected(models / file, sizes[file], resolution)
            assert np.abs(picture[..., :3] - wanted[..., None]).max() < 2
