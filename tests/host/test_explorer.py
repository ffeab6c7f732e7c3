"""The explorer of Visualize Stages in a browser, against a real server."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

SCRIPT = Path(__file__).parents[1] / "browser" / "explorer.mjs"


def test_queue_hover_press_reload_and_delete(
    server: Any, write_depth_anything: Callable[..., Path], tmp_path: Path
):
    """In classic and in Vue rendering; needs Node, Chromium and playwright-core."""
    if "PLAYWRIGHT" not in os.environ or not shutil.which("node"):
        pytest.skip("PLAYWRIGHT does not name a folder whose node_modules has playwright-core")
    write_depth_anything(server.base / "models/dpt/depth_anything_v2_explorer.safetensors")
    noise = np.random.default_rng(0).integers(0, 255, (5, 7, 3), np.uint8)
    photo = Image.fromarray(noise).resize((210, 150), Image.Resampling.BICUBIC)
    photo.save(server.base / "input/blobs.png")
    command = ["node", SCRIPT, server.address, "depth_anything_v2_explorer.safetensors"]
    done = subprocess.run(
        [*command, "blobs.png", tmp_path], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr + server.tail()
    assert [line.split('"')[3] for line in done.stdout.splitlines()] == ["classic", "vue"]
    assert len(list(tmp_path.glob("*.png"))) == 8
