"""The feature maps of Segment Anything's image encoder."""

import math

import torch
from torch import Tensor

from ..capture import capture
from ..progress import Progress
from ..sam.model import SamModel
from ..sam.preprocessing import resized_size
from .blocks import block_index
from .feature_map import FeatureMap, FeatureSpec
from .grid import copy_to_cpu

ENCODER = "image_encoder"
NECK = f"{ENCODER}.neck"


def extract_sam_features(
    model: SamModel, images: Tensor, spec: FeatureSpec, *, progress: Progress | None = None
) -> list[FeatureMap]:
    """Embed images, one at a time, and keep feature maps of the image encoder.

    Args:
        model: any Segment Anything model.
        images: B×3×H×W float RGB in [0, 1].
        spec: ``"patches"``, ``"positions"``, ``"stages"`` (each ends with a block of global
            attention; the embedding follows), ``"block"`` or ``"blocks"``.
        progress: called with (images done, images in all).

    Returns:
        Maps of the cells that the image covers, without the padding to a square.

    Raises:
        ValueError: the encoder has no such features or block, or there are no images.
    """
    modules = _modules(model, spec)
    encoder = model.config.encoder
    covered = [
        math.ceil(length / encoder.patch)
        for length in resized_size((images.shape[-2], images.shape[-1]), encoder.side)
    ]

    def keep(name: str, output: Tensor) -> Tensor:
        values = output if name == NECK else output.permute(0, 3, 1, 2)
        return copy_to_cpu(values[..., : covered[0], : covered[1]])

    if not len(images):
        raise ValueError("There are no images; at least one was expected.")
    found: list[list[Tensor]] = []
    for number in range(len(images)):
        with capture(model.net, modules, keep) as results:
            model.encode_image(images[number : number + 1])
        if spec.name == "positions":
            positions = model.net.image_encoder.pos_embed.permute(0, 3, 1, 2)
            found.append([copy_to_cpu(positions[..., : covered[0], : covered[1]])])
        else:
            found.append([results[module] for module in modules])
        if progress is not None:
            progress(number + 1, len(images))
    labels = modules.values() if modules else ["positions"]
    return [
        FeatureMap(label, torch.cat(values))
        for label, values in zip(labels, zip(*found, strict=True), strict=True)
    ]


def _modules(model: SamModel, spec: FeatureSpec) -> dict[str, str]:
    """The modules whose output is requested, and the labels of their maps."""
    stages = {
        f"{ENCODER}.stages.{i}": f"stage {i + 1}" for i in range(len(model.config.encoder.stages))
    }
    blocks = {
        name: f"block {index + 1}"
        for index, name in enumerate(
            f"{ENCODER}.stages.{stage}.{block}"
            for stage, windowed in enumerate(model.config.encoder.stages)
            for block in (
                *(f"window_attn_blocks.{i}" for i in range(windowed)),
                "global_attn_block",
            )
        )
    }
    if spec.name == "block":
        index = block_index(spec.block, len(blocks))
        return dict([list(blocks.items())[index]])
    labels = {
        "patches": {f"{ENCODER}.patch_embed": "patch tokens"},
        "positions": {},
        "stages": {**stages, NECK: "embedding"},
        "blocks": blocks,
    }
    if spec.name not in labels:
        raise ValueError(
            f"Segment Anything's encoder has no features {spec.name!r}; choose block or one of "
            f"{', '.join(labels)}."
        )
    return labels[spec.name]
