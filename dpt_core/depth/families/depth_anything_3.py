"""Depth Anything 3, the mono and metric models (arXiv:2511.10647), official key layout."""

from collections.abc import Mapping

from torch import Tensor

from ...checkpoint.context import FileContext
from ...checkpoint.family import Family, Plan
from ...checkpoint.hints import Overrides
from ...checkpoint.shapes import Shapes
from ..config import DepthHeadConfig, DPTConfig, ImageRule
from ..hints import find_metric
from ..measure import measure_decoder, measure_vit
from .depth_anything import DECODER, DINOV2, DINOV2_MLP, V2_TAPS
from .family import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    block_rows,
    count_tapped_blocks,
    depth_family,
    depths_from_taps,
)
from .tables import depth_rules

METRES_PER_FOCAL = 1 / 300  # the network assumes a focal length of 300 pixels

UNUSED = """\
backbone.pretrained.mask_token -> unused
"""
SKY = """\
head.scratch.sky_output_conv2.0.* -> head.sky_1ch.0.*
head.scratch.sky_output_conv2.2.* -> head.sky_1ch.2.*
"""
RULES = depth_rules(DINOV2, DINOV2_MLP, DECODER.replace("depth_head.", "head."), SKY, UNUSED)


def plan(tensors: Mapping[str, Tensor], context: FileContext, overrides: Overrides) -> Plan:
    """Choose mono or metric; the taps are V2's."""
    blocks = count_tapped_blocks(tensors, RULES, context.file)
    taps = V2_TAPS.get(blocks, range(blocks - 4, blocks))
    depths = depths_from_taps(taps)
    return Plan(block_rows(depths), depths, (find_metric(context),))


def configure(shapes: Shapes, plan: Plan) -> DPTConfig:
    """The complete configuration, from converted shapes and the hint."""
    metric: bool = plan.answer("metric")
    encoder = measure_vit(shapes, plan.stage_depths, positions="dinov2", final_norm_eps=1e-5)
    decoder = measure_decoder(shapes, encoder)
    return DPTConfig(
        family="Depth Anything 3 metric" if metric else "Depth Anything 3 mono",
        encoder=encoder,
        reassembly=decoder.reassembly,
        features=decoder.features,
        head=DepthHeadConfig(
            channels=decoder.head_channels,
            kind="depth",
            activation="exp",
            metres_per_focal=METRES_PER_FOCAL if metric else None,
            sky=True,
        ),
        image=ImageRule(
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            side=504,
            multiple=encoder.patch,
            fit="longest",
            depth_resampling="bilinear",
            depth_corners=False,
            shrink="area",
        ),
    )


FAMILIES: tuple[Family, ...] = (
    depth_family(
        name="Depth Anything 3 mono and metric",
        layout="official",
        signature=(
            "backbone.pretrained.cls_token",
            "backbone.pretrained.blocks.0.ls1.gamma",
            "head.scratch.output_conv2.2.weight",
            "head.scratch.sky_output_conv2.2.weight",
        ),
        rules=RULES,
        accepts=(),
        plan=plan,
        configure=configure,
    ),
)
