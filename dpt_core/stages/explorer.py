"""The tokens of one image, small enough to send to a browser that compares them itself."""

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..capture import capture
from ..depth_map import Depth
from ..estimate.model import DepthModel
from ..render import colorize, control_image
from .features import patch_grid, token_parts
from .pictures import rgb_of_scores

CHANNELS = 64  # of a token, at most: what it says beyond these is little in trained models
ITERATIONS = 4  # of the subspace iteration that finds them
MAGIC = b"DPTS"
VERSION = 1
PHOTO_SIDE = 640  # pixels, the longer side of the photograph that is sent


class Tokens(NamedTuple):
    """The tokens of one map of one image.

    Attributes:
        label, note: what and where it is.
        kind: ``"patches"``, ``"stage"`` or ``"block"``.
        channels: of the tokens in the network.
        vectors: rows×columns×K float16 of length 1: their products are cosine similarities.
        rgb: rows×columns×3 uint8: the three main components; from map to map the colours
            are turned to look as much alike as they can.
    """

    label: str
    note: str
    kind: str
    channels: int
    vectors: Tensor
    rgb: Tensor


@contextmanager
def watch_tokens(
    model: DepthModel, size: tuple[int, int], resolution: int | None = None
) -> Iterator[list[Tokens]]:
    """Collect the tokens of the first image that runs; the list is filled at the end.

    They are made small where they are and then leave the device, so that 24 blocks take
    no more memory there than one.

    Args:
        model: any depth model.
        size: height and width of the images.
        resolution: as for `DepthModel.infer`.
    """
    parts = token_parts(model.net, patch_grid(model, size, resolution))
    first: dict[str, list[_Small]] = {}

    def keep(name: str, output: Any) -> None:
        if name not in first:
            first[name] = [shrink(p.read(output)[0]) for p in parts if p.module == name]

    tokens: list[Tokens] = []
    with capture(model.net, dict.fromkeys(part.module for part in parts), keep):
        yield tokens
    if not first:
        return
    previous: Tensor | None = None
    for part in parts:
        small = first[part.module].pop(0)
        scores = align(_scores(small.vectors), previous)
        previous = scores
        tokens.append(
            Tokens(
                part.label,
                part.note,
                part.kind,
                small.channels,
                small.vectors.half(),
                (rgb_of_scores(scores) * 255).round().byte(),
            )
        )


def pack(title: str, photo: Tensor, depth: Depth, tokens: Sequence[Tokens]) -> bytes:
    """Everything the browser needs, in one block of bytes.

    ``DPTS``, the length of the header (little-endian 32 bit), the header (JSON, padded with
    spaces to a multiple of 8 bytes), then what the header points to by offset from here:
    two JPEG pictures, and for each map float16 vectors and 8-bit RGB.

    Args:
        title: one line.
        photo: 3×H×W in [0, 1].
        depth: of this photo alone.
        tokens: from `watch_tokens`.
    """
    body = bytearray()

    def add(content: bytes) -> int:
        body.extend(bytes(-len(body) % 8))
        offset = len(body)
        body.extend(content)
        return offset

    def add_picture(rgb: Tensor) -> dict[str, int]:
        content = _jpeg(rgb)
        return {"offset": add(content), "length": len(content)}

    header = {
        "version": VERSION,
        "title": title,
        "photo": add_picture(photo.movedim(0, -1)),
        "depth": add_picture(colorize(control_image(depth), "inferno")[0]),
        "maps": [
            {
                "label": t.label,
                "note": t.note,
                "kind": t.kind,
                "channels": t.channels,
                "rows": t.vectors.shape[0],
                "columns": t.vectors.shape[1],
                "length": t.vectors.shape[2],
                "vectors": add(t.vectors.numpy().astype("<f2").tobytes()),
                "rgb": add(t.rgb.numpy().tobytes()),
            }
            for t in tokens
        ],
    }
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return MAGIC + len(text).to_bytes(4, "little") + text + bytes(body)


class _Small(NamedTuple):
    vectors: Tensor  # rows×columns×K float32 on the CPU
    channels: int


def shrink(values: Tensor) -> _Small:
    """C×rows×columns tokens → unit vectors of at most `CHANNELS` numbers.

    Onto the subspace that holds most of the *directions* of this image's tokens, found by
    subspace iteration from a fixed start; products within it are what cosines keep.
    """
    channels, rows, columns = values.shape
    cells = torch.nn.functional.normalize(values.flatten(1).T.float(), dim=1)
    if channels > CHANNELS:
        start = torch.randn(channels, CHANNELS, generator=torch.Generator().manual_seed(0))
        basis = start.to(cells)
        for _ in range(ITERATIONS):
            # On the CPU, since not every device can do it; it is small.
            basis = torch.linalg.qr((cells.T @ (cells @ basis)).cpu()).Q.to(cells)
        cells = torch.nn.functional.normalize(cells @ basis, dim=1)
    return _Small(cells.view(rows, columns, -1).cpu(), channels)


def _scores(vectors: Tensor) -> Tensor:
    """rows×columns×3: the three main components, each of spread 1."""
    cells = vectors.flatten(0, 1)
    cells = cells - cells.mean(dim=0)
    _, axes = torch.linalg.eigh(cells.T @ cells)
    scores = cells @ axes.flip(1)[:, :3]
    scores = scores / scores.std(dim=0, correction=0).clamp(min=1e-6)
    return torch.nn.functional.pad(scores, (0, 3 - scores.shape[1])).view(*vectors.shape[:2], 3)


def align(scores: Tensor, previous: Tensor | None) -> Tensor:
    """Turn three components to be as near as they can to the previous map's (Procrustes)."""
    if previous is None:
        return scores
    if previous.shape != scores.shape:
        previous = torch.nn.functional.interpolate(
            previous.movedim(-1, 0)[None], size=scores.shape[:2], mode="bilinear"
        )[0].movedim(0, -1)
    left, _, right = torch.linalg.svd(scores.flatten(0, 1).T @ previous.flatten(0, 1))
    return scores @ (left @ right)


def _jpeg(rgb: Tensor) -> bytes:
    pixels = (rgb.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((PHOTO_SIDE, PHOTO_SIDE), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=88)
    return content.getvalue()
