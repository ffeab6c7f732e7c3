"""Depth Anything V1 (arXiv:2401.10891) and V2 (arXiv:2406.09414)."""

from collections.abc import Mapping
from functools import partial

from torch import Tensor

from ...checkpoint.context import FileContext
from ...checkpoint.family import Family, Plan
from ...checkpoint.hints import Overrides
from ...checkpoint.rules import Rule, count_blocks
from ..config import DepthHeadConfig, DPTConfig, ImageRule
from ..hints import find_max_depth, find_variant
from ..measure import Shapes, at_least_four, measure_decoder, measure_vit
from .family import block_rows, depth_family, depths_from_taps
from .shared import (
    BLOCK,
    IMAGENET_MEAN,
    IMAGENET_STD,
    POSITIONS,
    RESIZED,
    SCALES,
    WB,
    official_fusion,
    split_positions,
    transformers_attention,
    transformers_fusion,
    transformers_reassembly,
)

# 0-based, from V2's official code; V1 taps the last four blocks of any encoder.
V2_TAPS = {12: (2, 5, 8, 11), 24: (4, 11, 17, 23), 40: (9, 19, 29, 39)}


def dinov2_encoder(source: str) -> tuple[Rule, ...]:
    """A DINOv2 encoder in its official layout, without the feed-forward layers."""
    block = f"{source}.blocks.{{index}}"
    return (
        Rule(f"{source}.cls_token", "imgencoder.cls_token"),
        Rule(f"{source}.pos_embed", POSITIONS, split_positions),
        Rule(f"{source}.mask_token", None, optional=True),  # for the encoder's own training
        Rule(f"{source}.patch_embed.proj.{WB}", f"imgencoder.patch_embed.proj.{WB}"),
        Rule(f"{block}.{{norm1,norm2}}.{WB}", f"{BLOCK}.{{norm_attn,norm_mlp}}.{WB}"),
        Rule(f"{block}.attn.{{qkv,proj}}.{WB}", f"{BLOCK}.attn.{{qkv,proj}}.{WB}"),
        Rule(f"{block}.{{ls1,ls2}}.gamma", f"{BLOCK}.{{scale_attn,scale_mlp}}"),
        Rule(f"{source}.norm.{WB}", f"imgencoder.norm.{WB}"),
    )


def official_head(source: str) -> tuple[Rule, ...]:
    """The decoder in the official layout."""
    scratch = f"{source}.scratch"
    return (
        Rule(f"{source}.projects.{{0,1,2,3}}.{WB}", f"reassemble.{SCALES}.resample.0.{WB}"),
        Rule(f"{source}.resize_layers.{{0,1,3}}.{WB}", f"reassemble.{RESIZED}.resample.1.{WB}"),
        *official_fusion(scratch),
        Rule(f"{scratch}.output_conv1.{WB}", f"head.spatial_upsampler.0.{WB}"),
        Rule(f"{scratch}.output_conv2.{{0,2}}.{WB}", f"head.proj_1ch.{{0,2}}.{WB}"),
    )


def feed_forward(block: str, first: str, second: str) -> Rule:
    """The two linear layers of a block's feed-forward half."""
    return Rule(f"{block}.mlp.{{{first},{second}}}.{WB}", f"{BLOCK}.mlp.layers.{{0,2}}.{WB}")


_LAYER = "backbone.encoder.layer.{index}"
_TRANSFORMERS = (
    Rule("backbone.embeddings.cls_token", "imgencoder.cls_token"),
    Rule("backbone.embeddings.position_embeddings", POSITIONS, split_positions),
    Rule("backbone.embeddings.mask_token", None, optional=True),
    Rule(
        f"backbone.embeddings.patch_embeddings.projection.{WB}",
        f"imgencoder.patch_embed.proj.{WB}",
    ),
    Rule(f"{_LAYER}.{{norm1,norm2}}.{WB}", f"{BLOCK}.{{norm_attn,norm_mlp}}.{WB}"),
    *transformers_attention(f"{_LAYER}.attention.attention"),
    Rule(f"{_LAYER}.attention.output.dense.{WB}", f"{BLOCK}.attn.proj.{WB}"),
    Rule(f"{_LAYER}.layer_scale{{1,2}}.lambda1", f"{BLOCK}.{{scale_attn,scale_mlp}}"),
    Rule(f"backbone.layernorm.{WB}", f"imgencoder.norm.{WB}"),
    *transformers_reassembly(),
    *transformers_fusion(),
    Rule(f"head.conv1.{WB}", f"head.spatial_upsampler.0.{WB}"),
    Rule(f"head.conv{{2,3}}.{WB}", f"head.proj_1ch.{{0,2}}.{WB}"),
)


def plan(
    pattern: str, tensors: Mapping[str, Tensor], context: FileContext, overrides: Overrides
) -> Plan:
    """V1 or V2, metric or relative, and with that the stages."""
    blocks = at_least_four(count_blocks(tensors, pattern, context.file), context.file)
    hints = (
        find_variant(context, overrides, blocks, V2_TAPS),
        find_max_depth(context, overrides),
    )
    is_v2 = hints[0].value == "v2"
    depths = depths_from_taps(V2_TAPS[blocks] if is_v2 else range(blocks - 4, blocks))
    return Plan(block_rows(depths), depths, hints)


def configure(shapes: Shapes, plan: Plan) -> DPTConfig:
    """The whole configuration, from converted shapes and the two hints."""
    variant: str = plan.answer("variant")
    max_depth: float | None = plan.answer("max_depth")
    encoder = measure_vit(shapes, plan.stage_depths, positions="dinov2", final_norm_eps=1e-6)
    decoder = measure_decoder(shapes, encoder)
    return DPTConfig(
        family=f"Depth Anything {variant.upper()}" + ("" if max_depth is None else " metric"),
        encoder=encoder,
        reassembly=decoder.reassembly,
        features=decoder.features,
        head=DepthHeadConfig(
            channels=decoder.head_channels,
            kind="inverse" if max_depth is None else "metres",
            activation="relu" if max_depth is None else "sigmoid",
            max_depth=max_depth,
        ),
        image=ImageRule(
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            side=encoder.patch * encoder.grid[0],
            multiple=encoder.patch,
            fit="cover",
            depth_resampling="bilinear",
            depth_corners=variant == "v2",
        ),
    )


def _official(first: str, second: str) -> Family:
    block = "pretrained.blocks.{index}"
    return depth_family(
        name="Depth Anything",
        layout="official",
        signature=(
            "pretrained.cls_token",
            "pretrained.pos_embed",
            "pretrained.blocks.0.ls1.gamma",
            f"pretrained.blocks.0.mlp.{first}.weight",
            "depth_head.scratch.output_conv2.2.weight",
        ),
        rules=(
            *dinov2_encoder("pretrained"),
            feed_forward(block, first, second),
            *official_head("depth_head"),
        ),
        accepts=("variant", "max_depth"),
        plan=partial(plan, r"pretrained\.blocks\.(\d+)\."),
        configure=configure,
    )


def _transformers(first: str, second: str) -> Family:
    return depth_family(
        name="Depth Anything",
        layout="transformers",
        signature=(
            "backbone.embeddings.position_embeddings",
            "backbone.encoder.layer.0.layer_scale1.lambda1",
            f"backbone.encoder.layer.0.mlp.{first}.weight",
            "head.conv3.weight",
        ),
        rules=(*_TRANSFORMERS, feed_forward(_LAYER, first, second)),
        accepts=("variant", "max_depth"),
        plan=partial(plan, r"backbone\.encoder\.layer\.(\d+)\."),
        configure=configure,
    )


FAMILIES: tuple[Family, ...] = (
    _official("fc1", "fc2"),
    _official("w12", "w3"),  # SwiGLU: the giant encoder
    _transformers("fc1", "fc2"),
    _transformers("weights_in", "weights_out"),
)
