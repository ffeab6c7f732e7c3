"""Points of known distance in a real ComfyUI server, and clicked in a browser."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.builders import write_depth_anything

CHECKPOINT = "align_tiny.safetensors"


@pytest.fixture
def checkpoint(server: Any) -> None:
    path = server.base / "models/dpt" / CHECKPOINT
    if not path.exists():
        write_depth_anything(path)


@pytest.fixture
def picture(server: Any) -> str:
    """The name of a picture of 600×400 pixels."""
    small = (255 * np.random.default_rng(3).random((4, 6, 3))).astype(np.uint8)
    image = Image.fromarray(small).resize((600, 400), Image.Resampling.BICUBIC)
    image.save(server.base / "input/align.png")
    return "align.png"


def graph(picture: str, points: str) -> dict[str, Any]:
    loader = {"checkpoint": CHECKPOINT, "precision": "auto", "variant": "auto", "max_depth": 0.0}
    estimate = {"model": ["2", 0], "image": ["1", 0], "resolution": 56, "batch_size": 0}
    align = {"depth": ["3", 0], "image": ["1", 0], "to": "points", "to.points": points}
    mask = {"depth": ["4", 0], "unit": "metres", "unit.near": 0.0, "unit.far": 9.0}
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": picture}},
        "2": {"class_type": "DPTLoadCheckpoint", "inputs": loader},
        "3": {"class_type": "DPTEstimateDepth", "inputs": estimate},
        "4": {"class_type": "DPTAlignDepth", "inputs": align},
        "5": {"class_type": "DPTDepthMask", "inputs": {**mask, "unit.soft": 0.0}},
        "6": {"class_type": "MaskPreview", "inputs": {"mask": ["5", 0]}},
    }


def test_the_editor_gets_its_picture_before_any_point_is_set(server, checkpoint, picture):
    for points in ("", "300, 200, 2.5", "300, 200, 2.5"):  # the last is cached, and sends it again
        entry = server.run(graph(picture, points))
        (sent,) = entry["outputs"]["4"]["dpt_align"]
        assert sent["size"] == {"width": 600, "height": 400}
        assert (server.base / "temp" / sent["image"]["filename"]).exists()
        assert ("6" in entry["outputs"]) == bool(points)  # nothing goes on without a point


def test_click_type_move_run_and_reload(browse, checkpoint, picture, tmp_path):
    """In classic and in Vue rendering; needs Node, Chromium and playwright-core."""
    shown = browse("align_points.mjs", CHECKPOINT, picture, tmp_path)
    assert [one["name"] for one in shown] == ["classic", "vue"]
    assert len(list(tmp_path.glob("*.png"))) == 10
