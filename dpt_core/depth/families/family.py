"""Shared by all depth families: block rows from taps, normalisation, the check of image sizes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from ...checkpoint.context import FileContext
from ...checkpoint.family import Adapt, Family, Plan, leave_as_is
from ...checkpoint.hints import Overrides
from ...checkpoint.rules import Row, Rule, count_blocks
from ...checkpoint.shapes import Shapes
from ...errors import CheckpointError
from ..config import DPTConfig, Four
from ..hints import find_normalisation
from ..network import DPT

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
MIDAS_MEAN = MIDAS_STD = (0.5, 0.5, 0.5)


def depth_family(
    name: str,
    layout: str,
    signature: tuple[str, ...],
    rules: Sequence[Rule],
    plan: Callable[[Mapping[str, Tensor], FileContext, Overrides], Plan],
    configure: Callable[[Shapes, Plan], DPTConfig],
    accepts: tuple[str, ...] = (),
    adapt: Adapt = leave_as_is,
) -> Family:
    """A `Family` of depth models; a ``preprocessor_config.json`` may change their mean and std."""

    def plan_images(
        tensors: Mapping[str, Tensor], context: FileContext, overrides: Overrides
    ) -> Plan:
        planned = plan(tensors, context, overrides)
        normalisation = find_normalisation(context)
        return planned if normalisation is None else planned.with_hint(normalisation)

    def configure_images(shapes: Shapes, planned: Plan) -> DPTConfig:
        config = configure(shapes, planned)
        if config.image.multiple % config.encoder.multiple:
            raise CheckpointError(
                f"{shapes.file} has an encoder for images whose sides are multiples of "
                f"{config.encoder.multiple} pixels, but {config.family} makes them multiples of "
                f"{config.image.multiple}. It is damaged or another model; use the original "
                "checkpoint."
            )
        normalisation: Any = planned.answer("normalisation")
        if normalisation is None:
            return config
        mean, std = normalisation
        return replace(config, image=replace(config.image, mean=mean, std=std))

    return Family(
        name, layout, signature, rules, plan_images, configure_images, DPT, accepts, adapt
    )


def count_tapped_blocks(tensors: Mapping[str, Tensor], rules: Sequence[Rule], file: str) -> int:
    """Count the transformer blocks of an encoder; a DPT model taps four of them.

    Raises:
        CheckpointError: there are fewer than four, or a number is skipped.
    """
    blocks = count_blocks(tensors, rules, "index", file)
    if blocks < 4:
        raise CheckpointError(
            f"{file} has an encoder of {blocks} blocks, but a DPT model taps four of them. "
            "The file is incomplete; download it again."
        )
    return blocks


def block_rows(stage_depths: Four) -> list[Row]:
    """For each block its ``index`` in the file, its ``stage``, and its number there (``block``)."""
    places = [(s, b) for s, depth in enumerate(stage_depths) for b in range(depth)]
    return [{"index": i, "stage": s, "block": b} for i, (s, b) in enumerate(places)]


def depths_from_taps(taps: Sequence[int]) -> Four:
    """Blocks per stage, from the 0-based indices of the tapped blocks; each tap ends a stage."""
    a, b, c, d = (taps[i] - (taps[i - 1] if i else -1) for i in range(4))
    return a, b, c, d
