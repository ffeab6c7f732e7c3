"""The tokens of one image, small enough to send to a browser, which compares them itself."""

import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ..capture import capture
from ..depth_map import Depth
from ..estimate.model import DepthModel
from ..render import colorize, control_image
from .components import align_in_order, component_scores, main_subspace, scores_to_rgb
from .grid import patch_grid
from .sources import token_sources

CHANNELS = 64  # of a token, at most: in trained models the others add little
ITERATIONS = 4  # of the subspace iteration that finds them
COLORMAP_SIZE = 256  # colours
MAGIC = b"DPTS"
VERSION = 1
PHOTO_SIDE = 640  # pixels, the longer side of the photograph that is sent


class TokenMap(NamedTuple):
    """The tokens of one feature map of one image.

    Attributes:
        label, note: as in `FeatureMap`.
        kind: ``"patches"``, ``"stage"`` or ``"block"``.
        channels: of the tokens in the network.
        vectors: rows×columns×K float16 of length 1: their products are cosine similarities.
        rgb: rows×columns×3 uint8: the main components, as `visualize` draws this image.
    """

    label: str
    note: str
    kind: str
    channels: int
    vectors: Tensor
    rgb: Tensor


@contextmanager
def capture_tokens(
    model: DepthModel, size: tuple[int, int], resolution: int | None = None
) -> Iterator[list[TokenMap]]:
    """Capture the tokens of the first image that runs; the list is filled when the context closes.

    They are reduced where they are and then leave the device, so that 24 blocks take no more
    memory there than one.

    Args:
        model: any depth model.
        size: height and width of the images.
        resolution: as for `DepthModel.infer`.
    """
    sources = token_sources(model.net, patch_grid(model, size, resolution))
    captured: dict[str, dict[str, _Reduced]] = {}

    def keep(module: str, output: Any) -> None:
        if module not in captured:
            captured[module] = {
                s.label: _reduce(s.read(output)[:1]) for s in sources if s.module == module
            }

    tokens: list[TokenMap] = []
    with capture(model.net, dict.fromkeys(source.module for source in sources), keep):
        yield tokens
    if not captured:
        return
    for kind in dict.fromkeys(source.kind for source in sources):
        of_kind = [source for source in sources if source.kind == kind]
        reduced = [captured[source.module][source.label] for source in of_kind]
        aligned = align_in_order([one.scores for one in reduced])
        for source, one, scores in zip(of_kind, reduced, aligned, strict=True):
            rgb = (scores_to_rgb([scores])[0][0] * 255).round().byte()
            tokens.append(
                TokenMap(source.label, source.note, kind, one.channels, one.vectors.half(), rgb)
            )


def pack(
    title: str, photo: Tensor, depth: Depth, tokens: Sequence[TokenMap], colormap: str
) -> bytes:
    """All that the explorer needs, as bytes.

    ``DPTS``, the length of the header (little-endian, 32 bits), the header (JSON, padded with
    spaces to a multiple of 8 bytes), and the data that the header refers to by offsets from
    here: two JPEG pictures, the colour map as RGB bytes from low to high, and for each map
    float16 vectors and RGB bytes.

    Args:
        title: one line.
        photo: 3×H×W in [0, 1].
        depth: of this photograph alone.
        tokens: from `capture_tokens`.
        colormap: a name of `render.COLORMAPS`, for similarity and depth.
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

    colors = colorize(torch.linspace(0, 1, COLORMAP_SIZE)[None, None], colormap)
    header = {
        "version": VERSION,
        "title": title,
        "photo": add_picture(photo.movedim(0, -1)),
        "depth": add_picture(colorize(control_image(depth), colormap)[0]),
        "colormap": {"offset": add(_to_bytes(colors).tobytes()), "length": 3 * COLORMAP_SIZE},
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


class _Reduced(NamedTuple):
    vectors: Tensor  # rows×columns×K float32 on the CPU
    scores: Tensor  # 1×rows×columns×3 float32 on the CPU
    channels: int


def _reduce(values: Tensor) -> _Reduced:
    """1×C×rows×columns tokens → what the explorer needs of them."""
    values = values.float()
    (scores,) = component_scores([values])
    return _Reduced(project_tokens(values[0]), scores, values.shape[1])


def project_tokens(values: Tensor) -> Tensor:
    """C×rows×columns tokens → rows×columns×K unit vectors of at most `CHANNELS` numbers.

    They are projected onto the subspace that holds most of the *directions* of this image's
    tokens, so that their products stay close to the cosine similarities.
    """
    cells = F.normalize(values.flatten(1).T, dim=1)  # N×C
    cells = F.normalize(cells @ main_subspace(cells, CHANNELS, ITERATIONS), dim=1)  # N×K
    return cells.view(*values.shape[1:], -1).cpu()


def _to_bytes(rgb: Tensor) -> np.ndarray:
    """RGB in [0, 1] → uint8."""
    pixels = (rgb.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
    return np.ascontiguousarray(pixels)


def _jpeg(rgb: Tensor) -> bytes:
    picture = Image.fromarray(_to_bytes(rgb))
    picture.thumbnail((PHOTO_SIDE, PHOTO_SIDE), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=88)
    return content.getvalue()
