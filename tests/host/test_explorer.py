"""The explorer of Visualize Stages in a browser, against a real server."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.builders import write_depth_anything


def test_queue_hover_press_reload_and_delete(browse: Any, server: Any, tmp_path: Path):
    """In classic and in Vue rendering; needs Node, Chromium and playwright-core."""
    write_depth_anything(server.base / "models/dpt/depth_anything_v2_explorer.safetensors")
    noise = np.random.default_rng(0).integers(0, 255, (5, 7, 3), np.uint8)
    photo = Image.fromarray(noise).resize((210, 150), Image.Resampling.BICUBIC)
    photo.save(server.base / "input/blobs.png")
    photo.resize((640, 80)).save(server.base / "input/panorama.png")
    checkpoint = "depth_anything_v2_explorer.safetensors"
    shown = browse("explorer.mjs", checkpoint, "blobs.png", "panorama.png", tmp_path)
    assert [one["name"] for one in shown] == ["classic", "vue"]
    assert len(list(tmp_path.glob("*.png"))) == 12
