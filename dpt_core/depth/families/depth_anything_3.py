"""Depth Anything 3, the mono and metric models (arXiv:2511.10647), official key layout."""

from collections.abc import Mapping

from torch import Tensor

from ...checkpoint.context import FileContext
from ...checkpoint.family import Family, Plan
from ...checkpoint.hints import Overrides
from ...checkpoint.rules import Rule, count_blocks
from ..config import DepthHeadConfig, DPTConfig, ImageRule
from ..hints import find_metric_name
from ..measure import Shapes, at_least_four, measure_decoder, measure_vit
from .depth_anything import V2_TAPS, dinov2_encoder, feed_forward, official_head
from .family import block_rows, depth_family, depths_from_taps
from .shared import IMAGENET_MEAN, IMAGENET_STD, WB

METRES_PER_FOCAL = 1 / 300  # the network sees every image as if taken with 300 pixels


def plan(tensors: Mapping[str, Tensor], context: FileContext, overrides: Overrides) -> Plan:
    """Mono or metric; the taps are V2's."""
    pattern = r"backbone\.pretrained\.blocks\.(\d+)\."
    blocks = at_least_four(count_blocks(tensors, pattern, context.file), context.file)
    taps = V2_TAPS.get(blocks, range(blocks - 4, blocks))
    depths = depths_from_taps(taps)
    return Plan(block_rows(depths), depths, (find_metric_name(context),))


def configure(shapes: Shapes, plan: Plan) -> DPTConfig:
    """The whole configuration, from converted shapes and the hint."""
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
        rules=(
            *dinov2_encoder("backbone.pretrained"),
            feed_forward("backbone.pretrained.blocks.{index}", "fc1", "fc2"),
            *official_head("head"),
            Rule(f"head.scratch.sky_output_conv2.{{0,2}}.{WB}", f"head.sky_1ch.{{0,2}}.{WB}"),
        ),
        accepts=(),
        plan=plan,
        configure=configure,
    ),
)
