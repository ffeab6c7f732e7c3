"""Segment Anything in the graph: its memory, embeddings that are kept, and masks as outputs."""

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from ...dpt_core.sam.config import SAMConfig
from ...dpt_core.sam.image_encoder import BIAS_BYTES
from ...dpt_core.sam.model import CHUNK, SamEmbedding
from .. import host
from ..editor import editor_picture
from .draw_masks import draw_masks, encode_layer, overlay
from .prompts import Prompt, alike, to_tensors

KEPT = 8  # embeddings a model: 4 MB each
AT_ONCE = 8  # prompts whose logits are in memory at the image's size

_kept: WeakKeyDictionary[nn.Module, OrderedDict[bytes, SamEmbedding]] = WeakKeyDictionary()


class Found(NamedTuple):
    """The masks of one image: K×H×W bool, and the model's estimate of their quality, K floats."""

    masks: Tensor
    iou: list[float]


# ---- prompts


def embed(sam: host.HostedSam, image: Tensor) -> SamEmbedding:
    """The embedding of one image 3×H×W, within `host.on_device`.

    Those of the last images are kept, so that another prompt on the same image costs no
    second pass through the encoder, which is nearly all of the work.
    """
    kept = _kept.setdefault(sam.model.net, OrderedDict())
    # The encoder sees 8-bit values, whatever the image's own.
    pixels = image.float().clamp(0, 1).mul(255).round().to("cpu", torch.uint8)
    key = hashlib.blake2b(repr(image.shape).encode() + pixels.numpy().tobytes()).digest()
    if key not in kept:
        kept[key] = sam.model.encode_image(image.unsqueeze(0))
        if len(kept) > KEPT:
            kept.popitem(last=False)
    kept.move_to_end(key)
    return kept[key]


def segment(
    sam: host.HostedSam, image: Tensor, prompts: Sequence[Prompt], candidates: str
) -> Found:
    """Masks of one image 3×H×W, in the order of the prompts, within `host.on_device`.

    Args:
        sam: the model.
        image: the image in [0, 1].
        prompts: one for each object.
        candidates: which masks of each: a name of `CANDIDATES`.
    """
    if not prompts:
        return Found(torch.zeros(0, *image.shape[-2:], dtype=torch.bool), [])
    embedding = embed(sam, image)
    masks: list[Tensor] = [torch.empty(0)] * len(prompts)
    iou: list[Tensor] = [torch.empty(0)] * len(prompts)
    for group in alike(prompts):
        for first in range(0, len(group), AT_ONCE):
            host.stop_if_interrupted()
            numbers = group[first : first + AT_ONCE]
            some = [prompts[number] for number in numbers]
            multimask = CANDIDATES[candidates](some[0])
            result = sam.model.predict(embedding, **to_tensors(some), multimask=multimask)
            for number, found, quality in zip(numbers, result.masks, result.iou, strict=True):
                keep = slice(None) if candidates == "all three" else quality.argmax().unsqueeze(0)
                masks[number], iou[number] = found[keep], quality[keep]
    return Found(torch.cat(masks), torch.cat(iou).tolist())


def _is_ambiguous(prompt: Prompt) -> bool:
    return prompt.box is None and len(prompt.points) == 1


# Whether three masks are asked for; the model's authors do for what may mean several things.
CANDIDATES: dict[str, Any] = {
    "auto": _is_ambiguous,
    "best of three": lambda _: True,
    "single": lambda _: False,
    "all three": lambda _: True,
}


# ---- memory


def working_bytes(config: SAMConfig, itemsize: int, prompts: int = CHUNK) -> int:
    """What the model works in on the device, a little more than it takes.

    The larger of the encoder's peak, in the feed-forward layer or in the attention of a
    global block, and the decoder's.

    Args:
        config: the model.
        itemsize: bytes of a number in the network.
        prompts: how many go through the decoder at once.
    """
    encoder = config.encoder
    tokens = encoder.grid**2
    maps = tokens * (6 * encoder.width + 2 * encoder.mlp_hidden) * itemsize
    first, second = config.decoder.upscaled
    upscaled = tokens * (4 * 3 * first + 16 * 3 * second)
    attended = tokens * (4 * config.width + 4 * config.decoder.cross_width)
    return max(maps + 4 * BIAS_BYTES, prompts * (upscaled + attended) * itemsize)


# ---- outputs


def merged(found: Found) -> Found:
    """All masks of one image as one, with the least of their qualities."""
    if len(found.iou) < 2:
        return found
    return Found(found.masks.any(dim=0, keepdim=True), [min(found.iou)])


def to_outputs(image: Tensor, found: Sequence[Found]) -> tuple[Tensor, list[float], Tensor]:
    """What leaves a node: MASK N×H×W, as many qualities, and the preview B×H×W×3.

    An image without any mask has one that is empty, of quality 0: other nodes fail on a
    batch of none.

    Args:
        image: B×H×W×C as it came.
        found: for each image.
    """
    height, width = image.shape[1:3]
    masks = host.empty_result((sum(max(len(f.iou), 1) for f in found), height, width))
    preview = host.empty_result((len(image), height, width, 3))
    iou: list[float] = []
    for number, (frame, (some, quality)) in enumerate(zip(image, found, strict=True)):
        host.stop_if_interrupted()
        count = max(len(quality), 1)
        masks[len(iou) : len(iou) + count] = some if len(quality) else 0.0
        preview[number] = overlay(frame[..., :3].cpu(), draw_masks(some)).clamp_(0, 1)
        iou += quality or [0.0]
    return masks, iou, preview


def editor_pictures(image: Tensor, masks: Tensor) -> dict[str, Any]:
    """For the editor in the browser: the first image H×W×C, and masks K×H×W over it."""
    layer = None
    if masks.any():
        layer = host.save_temporary("dpt_segment", ".png", encode_layer(draw_masks(masks)))
    return {**editor_picture(image), "masks": layer}
