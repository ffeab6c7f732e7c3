"""The same views of Segment Anything's image encoder."""

import math

import torch
from torch import Tensor

from ..capture import capture
from ..progress import Progress
from ..sam.model import SamModel
from ..sam.preprocessing import resized_size
from .blocks import block_number, to_cpu
from .features import FeatureMap, View

ENCODER = "image_encoder"
NECK = f"{ENCODER}.neck"


def extract_sam_features(
    model: SamModel, images: Tensor, view: View, *, progress: Progress | None = None
) -> list[FeatureMap]:
    """Look inside the image encoder while it embeds images, one at a time.

    Args:
        model: any Segment Anything model.
        images: B×3×H×W float RGB in [0, 1].
        view: ``"patches"``, ``"positions"``, ``"stages"`` (ended by the blocks with global
            attention, and after them the embedding), ``"block"`` or ``"blocks"``.
        progress: called with (images done, images in all).

    Returns:
        Maps of the cells that the image covers: the network's input is padded to a square.

    Raises:
        ValueError: the encoder has no such view or block.
    """
    modules = _modules(model, view)
    encoder = model.config.encoder
    covered = [
        math.ceil(length / encoder.patch)
        for length in resized_size((images.shape[-2], images.shape[-1]), encoder.side)
    ]

    def keep(name: str, output: Tensor) -> Tensor:
        values = output if name == NECK else output.permute(0, 3, 1, 2)
        return to_cpu(values[..., : covered[0], : covered[1]])

    found: list[list[Tensor]] = []
    for number in range(len(images)):
        with capture(model.net, modules, keep) as results:
            model.encode_image(images[number : number + 1])
        if view.what == "positions":
            positions = model.net.image_encoder.pos_embed.permute(0, 3, 1, 2)
            found.append([to_cpu(positions[..., : covered[0], : covered[1]])])
        else:
            found.append([results[module] for module in modules])
        if progress is not None:
            progress(number + 1, len(images))
    labels = modules.values() if modules else ["positions"]
    return [
        FeatureMap(label, torch.cat(values))
        for label, values in zip(labels, zip(*found, strict=True), strict=True)
    ]


def _modules(model: SamModel, view: View) -> dict[str, str]:
    """The modules whose output is shown, and their labels."""
    stages = {
        f"{ENCODER}.stages.{i}": f"stage {i + 1}" for i in range(len(model.config.encoder.stages))
    }
    blocks = {
        name: f"block {number + 1}"
        for number, name in enumerate(
            f"{ENCODER}.stages.{stage}.{block}"
            for stage, windowed in enumerate(model.config.encoder.stages)
            for block in (
                *(f"window_attn_blocks.{i}" for i in range(windowed)),
                "global_attn_block",
            )
        )
    }
    if view.what == "block":
        number = block_number(view.block, len(blocks))
        return dict([list(blocks.items())[number]])
    known = {
        "patches": {f"{ENCODER}.patch_embed": "patch tokens"},
        "positions": {},
        "stages": {**stages, NECK: "embedding"},
        "blocks": blocks,
    }
    if view.what not in known:
        raise ValueError(
            f"Segment Anything's encoder has no view {view.what!r}; choose block or one of "
            f"{', '.join(known)}."
        )
    return known[view.what]
