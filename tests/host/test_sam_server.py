"""Segment Anything in a real ComfyUI server, and its editor in a browser."""

import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.builders import tiny_sam, write_checkpoint

CHECKPOINT = "tiny_sam.pth"
POINT = {"x": 102, "y": 120, "label": 1}


@pytest.fixture
def checkpoint(server: Any) -> None:
    """A tiny checkpoint in the server's models/sams."""
    path = server.base / "models/sams" / CHECKPOINT
    if not path.exists():
        write_checkpoint(path, {key: tensor.float() for key, tensor in tiny_sam().items()})


@pytest.fixture
def discs(server: Any) -> str:
    """The name of a picture of 600×400 pixels with three discs on it."""
    rows, columns = np.mgrid[:400, :600]
    image = np.full((400, 600, 3), (70, 100, 60), np.uint8)
    for x, y, radius, color in [(102, 120, 66, (225, 50, 40)), (420, 260, 95, (60, 110, 225))]:
        image[(columns - x) ** 2 + (rows - y) ** 2 < radius**2] = color
    Image.fromarray(image).save(server.base / "input/discs.png")
    return "discs.png"


def graph(image: str, prompts: Any) -> dict[str, Any]:
    """Load SAM Checkpoint, Load Image → Segment → what others make of its outputs."""
    segment = {
        "sam": ["1", 0],
        "image": ["2", 0],
        "prompts": prompts,
        "points_mark": "one object",
        "candidates": "auto",
        "merge": False,
    }
    return {
        "1": {
            "class_type": "DPTLoadSAM",
            "inputs": {"checkpoint": CHECKPOINT, "precision": "auto"},
        },
        "2": {"class_type": "LoadImage", "inputs": {"image": image}},
        "3": {"class_type": "DPTSegment", "inputs": segment},
        "4": {"class_type": "MaskToImage", "inputs": {"mask": ["3", 0]}},
        "5": {
            "class_type": "SaveImage",
            "inputs": {"images": ["4", 0], "filename_prefix": "mask"},
        },
        "6": {"class_type": "PreviewAny", "inputs": {"source": ["3", 1]}},
        "7": {"class_type": "PreviewImage", "inputs": {"images": ["3", 2]}},
    }


def test_a_point_becomes_a_mask(server, checkpoint, discs):
    prompts = json.dumps({"points": [POINT], "boxes": []})
    for _ in range(2):  # the second is cached, and sends the editor its pictures again
        entry = server.run(graph(discs, prompts))
        assert entry["status"]["status_str"] == "success", entry["status"]
        (sent,) = entry["outputs"]["3"]["dpt_segment"]
        assert sent["size"] == {"width": 600, "height": 400}
        for name in ("image", "masks"):
            assert (server.base / "temp" / sent[name]["filename"]).exists()
    entry = server.run(graph(discs, prompts.replace("102", "104")))
    (mask,) = server.pictures(entry, "5")
    assert mask[120, 102].all()
    assert not mask[260, 420].any()
    assert 0.03 < (mask > 0).mean() < 0.2
    (shown,) = entry["outputs"]["6"]["text"]
    assert 0 < float(shown) < 1.5


def test_text_may_come_from_another_node(server, checkpoint, discs):
    nodes = graph(discs, ["8", 0])
    text = json.dumps({"points": [POINT]})
    nodes["8"] = {"class_type": "PrimitiveString", "inputs": {"value": text}}
    assert server.run(nodes)["status"]["status_str"] == "success"
    nodes["8"]["inputs"]["value"] = "{oops"
    entry = server.run(nodes)
    (error,) = (m for kind, m in entry["status"]["messages"] if kind == "execution_error")
    assert error["node_type"] == "DPTSegment"
    assert "prompts is not valid JSON" in error["exception_message"]


def test_bad_text_is_refused_before_anything_runs(server, checkpoint, discs):
    answer = server.post("/prompt", {"prompt": graph(discs, "{oops")})
    (error,) = answer["node_errors"]["3"]["errors"]
    assert "prompts is not valid JSON" in error["details"]


def test_no_mask_goes_through_the_graph(server, checkpoint, discs):
    entry = server.run(graph(discs, ""))
    assert entry["status"]["status_str"] == "success", entry["status"]
    (mask,) = server.pictures(entry, "5")
    assert mask.shape == (400, 600, 3)
    assert not mask.any()


def test_a_runs_thumbnail_is_its_picture(server, checkpoint, discs):
    """And not what the loader says: the host takes the first that it can show."""
    nodes = graph(discs, "")
    prompt = server.queue({key: nodes[key] for key in "1237"})
    server.wait(prompt)
    assert server.get_json(f"/api/jobs/{prompt}")["preview_output"]["mediaType"] == "images"


def test_click_move_run_reload_and_delete(browse, checkpoint, discs, tmp_path):
    """In classic and in Vue rendering; needs Node, Chromium and playwright-core."""
    shown = browse("point_editor.mjs", CHECKPOINT, discs, tmp_path)
    assert [one["name"] for one in shown] == ["classic", "vue"]
    assert len(list(tmp_path.glob("*.png"))) == 10
