"""Segment Anything in the graph: prompts → masks, with the embeddings of recent images kept."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from ...dpt_core.sam.model import SamEmbedding
from ..host.models import ManagedSam
from ..host.running import stop_if_interrupted
from .prompts import Prompt, group_by_form, to_tensors

CACHED_EMBEDDINGS = 8  # for each model; 4 MB each
PROMPTS_AT_ONCE = 8  # prompts whose logits are in memory at the image's size

_embeddings: WeakKeyDictionary[nn.Module, OrderedDict[bytes, SamEmbedding]] = WeakKeyDictionary()


class ImageMasks(NamedTuple):
    """The masks of one image: K×H×W bool, and the model's estimate of their quality, K floats."""

    masks: Tensor
    iou: list[float]

    def merged(self) -> "ImageMasks":
        """All masks as one, with the lowest of their qualities."""
        if len(self.iou) < 2:
            return self
        return ImageMasks(self.masks.any(dim=0, keepdim=True), [min(self.iou)])


def predict(
    sam: ManagedSam, image: Tensor, prompts: Sequence[Prompt], candidates: str
) -> ImageMasks:
    """Masks of one image 3×H×W, in the order of the prompts, within `host.models.on_device`.

    Args:
        sam: the model.
        image: the image in [0, 1].
        prompts: one for each object.
        candidates: which of an object's masks to return: a name from `CANDIDATES`.
    """
    if not prompts:
        return ImageMasks(torch.zeros(0, *image.shape[-2:], dtype=torch.bool), [])
    embedding = embed(sam, image)
    masks: list[Tensor] = [torch.empty(0)] * len(prompts)
    iou: list[Tensor] = [torch.empty(0)] * len(prompts)
    for group in group_by_form(prompts):
        for first in range(0, len(group), PROMPTS_AT_ONCE):
            stop_if_interrupted()
            numbers = group[first : first + PROMPTS_AT_ONCE]
            some = [prompts[number] for number in numbers]
            multimask = CANDIDATES[candidates](some[0])
            result = sam.model.predict(embedding, **to_tensors(some), multimask=multimask)
            for number, found, quality in zip(numbers, result.masks, result.iou, strict=True):
                keep = slice(None) if candidates == "all three" else quality.argmax().unsqueeze(0)
                masks[number], iou[number] = found[keep], quality[keep]
    return ImageMasks(torch.cat(masks), torch.cat(iou).tolist())


def embed(sam: ManagedSam, image: Tensor) -> SamEmbedding:
    """The embedding of one image 3×H×W, within `host.models.on_device`.

    The most recent embeddings are cached, so that another prompt on the same image skips the
    encoder, which does nearly all of the work.
    """
    cached = _embeddings.setdefault(sam.model.net, OrderedDict())
    # The encoder sees 8-bit values, whatever the image has.
    pixels = image.float().clamp(0, 1).mul(255).round().to("cpu", torch.uint8)
    key = hashlib.blake2b(repr(image.shape).encode() + pixels.numpy().tobytes()).digest()
    if key not in cached:
        cached[key] = sam.model.encode_image(image.unsqueeze(0))
        if len(cached) > CACHED_EMBEDDINGS:
            cached.popitem(last=False)
    cached.move_to_end(key)
    return cached[key]


def _is_ambiguous(prompt: Prompt) -> bool:
    return prompt.box is None and len(prompt.points) == 1


# Whether to ask for three masks; the model's authors do so for ambiguous prompts.
CANDIDATES: dict[str, Callable[[Prompt], bool]] = {
    "auto": _is_ambiguous,
    "best of three": lambda _: True,
    "single": lambda _: False,
    "all three": lambda _: True,
}
