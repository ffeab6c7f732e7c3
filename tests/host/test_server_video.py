"""A video through a real server: memory, progress, Cancel, and what a second run computes.

Load Video → Get Video Components → Estimate Depth → Render Depth → Create Video → Save Video.
With DPT_VIDEO_FRAMES=500 in the environment it is a long one; that takes 20 GB of memory.
"""

import asyncio
import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.builders import write_depth_anything

aiohttp = pytest.importorskip("aiohttp", reason="needs aiohttp, to follow the server's messages")
av = pytest.importorskip("av", reason="needs PyAV, to make and read videos")

FRAMES = int(os.environ.get("DPT_VIDEO_FRAMES", "60"))
HEIGHT, WIDTH = 720, 1280
MAP = FRAMES * HEIGHT * WIDTH * 4  # bytes of one float32 number a pixel
CHUNK = 8
# What one chunk, the video encoder and the allocator may take, however many frames there are.
ALLOWANCE = 300 * 2**20
ENDS = ("execution_success", "execution_error", "execution_interrupted")
SAVED = ("executed", "save")
CHECKPOINT = "depth_anything_v2_video.safetensors"


@pytest.fixture(scope="module")
def clip(server: Any) -> str:
    """The name of a video in which a pattern moves."""
    noise = np.random.default_rng(0).integers(0, 255, (9, 20, 3), np.uint8)
    size = (WIDTH + 2 * FRAMES, HEIGHT)
    picture = np.asarray(Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC))
    with av.open(str(server.base / "input/clip720.mp4"), "w") as container:
        stream = container.add_stream("h264", rate=24, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(FRAMES):
            part = np.ascontiguousarray(picture[:, 2 * number : 2 * number + WIDTH])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(part, format="rgb24")))
        container.mux(stream.encode(None))
    return "clip720.mp4"


@pytest.fixture
def checkpoint(server: Any) -> Path:
    path = server.base / "models/dpt" / CHECKPOINT
    return path if path.exists() else write_depth_anything(path)


def graph(clip: str, gamma: float = 1.0, resolution: int = 28) -> dict[str, Any]:
    """The nodes "video", "frames", "model", "depth", "render", "join" and "save"."""
    loader = {"checkpoint": CHECKPOINT, "precision": "auto", "variant": "auto", "max_depth": 0.0}
    estimate = {"model": ["model", 0], "image": ["frames", 0], "batch_size": CHUNK}
    look = {"style": "ControlNet: near = white", "range": "steady video", "range.window": 24}
    look |= {"size": "as estimated", "colormap": "grey", "invert": False, "near": 0.0, "far": 0.0}
    video = {"video": ["join", 0], "filename_prefix": "depth", "format": "mp4", "codec": "h264"}
    nodes = {
        "video": ("LoadVideo", {"file": clip}),
        "frames": ("GetVideoComponents", {"video": ["video", 0]}),
        "model": ("DPTLoadCheckpoint", loader),
        "depth": ("DPTEstimateDepth", {**estimate, "resolution": resolution}),
        "render": ("DPTRenderDepth", {"depth": ["depth", 0], "gamma": gamma, **look}),
        "join": ("CreateVideo", {"images": ["render", 0], "fps": 24.0}),
        "save": ("SaveVideo", video),
    }
    return {name: {"class_type": kind, "inputs": inputs} for name, (kind, inputs) in nodes.items()}


def first_frames(graph: dict[str, Any], count: int) -> dict[str, Any]:
    """The same graph for a part of the video; all of it is read nevertheless, and cached."""
    part = {"image": ["frames", 0], "batch_index": 0, "length": count}
    estimate = {**graph["depth"]["inputs"], "image": ["part", 0]}
    return {
        **graph,
        "part": {"class_type": "ImageFromBatch", "inputs": part},
        "depth": {**graph["depth"], "inputs": estimate},
    }


def follow(server: Any, graph: dict[str, Any], cancel_at: float = math.inf) -> list[Any]:
    """Run a graph; → the messages (type, data) that a browser gets.

    Args:
        cancel_at: interrupt once "depth" has got this far.
    """

    async def run() -> list[Any]:
        messages = []
        is_asked = False
        async with (
            aiohttp.ClientSession(server.address) as session,
            session.ws_connect("/ws?clientId=video", max_msg_size=0) as socket,
        ):
            async with session.post(
                "/prompt", json={"prompt": graph, "client_id": "video"}
            ) as sent:
                answer = await sent.json()
            assert not answer.get("node_errors"), answer
            while True:
                message = await socket.receive(300)
                if message.type != aiohttp.WSMsgType.TEXT:  # a preview picture
                    continue
                messages.append((message.json()["type"], message.json()["data"]))
                if not is_asked and max(progress(messages[-1:], "depth"), default=0) >= cancel_at:
                    is_asked = True
                    (await session.post("/interrupt", json={})).release()
                if messages[-1][0] in ENDS:
                    return messages

    return asyncio.run(run())


def progress(messages: list[Any], node: str) -> list[int]:
    return [m["value"] for kind, m in messages if (kind, m.get("node")) == ("progress", node)]


def executed(messages: list[Any]) -> list[str]:
    """The nodes that were run, in order."""
    nodes = [m["node"] for kind, m in messages if kind == "executing"]
    return [node for node in nodes if node is not None]


def memory(server: Any, field: str) -> int:
    """Bytes of the server's process: VmRSS now, or VmHWM, the most since the last reset."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    found = re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
    assert found, status
    return 1024 * int(found[1])


def test_memory_is_that_of_the_maps_and_one_chunk(server, checkpoint, clip):
    """Raw depth, Estimate Depth's picture and Render Depth's: three numbers a pixel, no copies."""
    reset = Path(f"/proc/{server.pid}/clear_refs")
    if not reset.exists():
        pytest.skip("needs Linux's /proc, to see the most memory that the server has taken")
    first = follow(server, first_frames(graph(clip), CHUNK))  # libraries, weights, the frames
    assert first[-1][0] == "execution_success", first[-1]
    reset.write_text("5")  # VmHWM starts anew
    before = memory(server, "VmRSS")

    messages = follow(server, graph(clip))

    assert messages[-1][0] == "execution_success", messages[-1]
    assert executed(messages) == ["depth", "render", "join", "save"]
    taken = memory(server, "VmHWM") - before
    assert taken < 3 * MAP + ALLOWANCE, f"{taken / MAP:.2f} numbers a pixel"
    for node, step, least in (("depth", CHUNK, 3), ("render", 1, 2)):
        seen = progress(messages, node)
        assert len(seen) >= least  # ComfyUI leaves out what follows within a tenth of a second
        assert seen == sorted(seen)
        assert seen[-1] == FRAMES
        assert all(value % step == 0 for value in seen[:-1])
    output = next(m["output"] for kind, m in messages if (kind, m.get("node")) == SAVED)
    with av.open(str(server.base / "output" / output["images"][0]["filename"])) as container:
        shapes = [(frame.height, frame.width) for frame in container.decode(video=0)]
    assert shapes == [(HEIGHT, WIDTH)] * FRAMES


def test_another_rendering_estimates_nothing(server, checkpoint, clip):
    assert follow(server, graph(clip))[-1][0] == "execution_success"
    messages = follow(server, graph(clip, gamma=2.0))
    assert messages[-1][0] == "execution_success", messages[-1]
    (cached,) = (m["nodes"] for kind, m in messages if kind == "execution_cached")
    assert set(cached) == {"video", "frames", "model", "depth"}
    assert executed(messages) == ["render", "join", "save"]


def test_cancel_ends_with_the_chunk_at_hand(server, checkpoint, clip):
    messages = follow(server, graph(clip, resolution=168), cancel_at=CHUNK)
    assert messages[-1][0] == "execution_interrupted", messages[-1]
    assert messages[-1][1]["node_id"] == "depth"
    asked = next(value for value in progress(messages, "depth") if value >= CHUNK)
    assert progress(messages, "depth")[-1] <= asked + CHUNK < FRAMES
    assert "render" not in executed(messages)
