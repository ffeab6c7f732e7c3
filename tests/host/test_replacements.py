"""Graphs built on other packs' depth preprocessors, run without these packs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import dpt_core
from dpt_core.render import Target, control_image
from dpt_core.render.sizes import resize

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


def test_a_bare_file_name_finds_a_checkpoint_in_a_subfolder(
    host, tmp_path, write_depth_anything: Callable[..., Path]
):
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


@pytest.mark.parametrize("pack", ["controlnet aux", "depth anything v2"])
def test_the_same_picture_comes_out(server, write_depth_anything: Callable[..., Path], pack):
    assert OURS.keys() <= server.get_json("/node_replacements").keys()
    photograph().save(server.base / "input/replaced.png")
    file = "depth_anything_v2_vitb_fp32.safetensors"
    path = server.base / "models/dpt/from_elsewhere" / file
    if pack != "controlnet aux":
        path = server.base / "models/dpt" / file
    write_depth_anything(path)
    graph: dict[str, Any] = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "replaced.png"}, "_meta": {}},
        "9": {
            "class_type": "SaveImage",
            "inputs": {"images": ["3", 0], "filename_prefix": "replaced"},
            "_meta": {},
        },
    }
    if pack == "controlnet aux":
        inputs = {"image": ["1", 0], "ckpt_name": file, "resolution": 128}
        graph["3"] = {"class_type": "DepthAnythingV2Preprocessor", "inputs": inputs, "_meta": {}}
        size = (128, 192)
    else:
        loader = "DownloadAndLoadDepthAnythingV2Model"
        graph["2"] = {"class_type": loader, "inputs": {"model": file}, "_meta": {}}
        inputs = {"da_model": ["2", 0], "images": ["1", 0]}
        graph["3"] = {"class_type": "DepthAnything_V2", "inputs": inputs, "_meta": {}}
        size = (100, 150)
    entry = server.run(graph)
    path.unlink()
    assert entry["status"]["status_str"] == "success", entry["status"]
    (picture,) = server.pictures(entry, "9")

    write_depth_anything(path)
    images = torch.from_numpy(np.asarray(photograph()).copy()).movedim(-1, 0).unsqueeze(0) / 255
    grey = control_image(dpt_core.load(path).infer(images))[0]
    path.unlink()
    expected = resize(grey, Target(size, "stretch")).numpy() * 255
    assert picture.shape == (*size, 3)
    assert np.abs(picture - expected[..., None]).max() < 2
