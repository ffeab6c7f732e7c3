# ruff: noqa: E501  (keys are whole, so that one in an error message can be searched for)
"""Depth Anything V1 (arXiv:2401.10891) and V2 (arXiv:2406.09414)."""

from collections.abc import Mapping, Sequence
from functools import partial

from torch import Tensor

from ...checkpoint.context import FileContext
from ...checkpoint.family import Family, Plan
from ...checkpoint.hints import Overrides
from ...checkpoint.rules import Rule
from ...checkpoint.shapes import Shapes
from ..config import DepthHeadConfig, DPTConfig, ImageRule
from ..hints import find_max_depth, find_variant
from ..measure import measure_decoder, measure_vit
from .family import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    block_rows,
    count_tapped_blocks,
    depth_family,
    depths_from_taps,
)
from .tables import OFFICIAL_FUSION, TRANSFORMERS_FUSION, TRANSFORMERS_REASSEMBLY, depth_rules

# 0-based, from V2's official code; V1 taps the last four blocks of any encoder.
V2_TAPS = {12: (2, 5, 8, 11), 24: (4, 11, 17, 23), 40: (9, 19, 29, 39)}

# A DINOv2 encoder under Depth Anything 3's names; V1 and V2 leave out "backbone.".
DINOV2 = """\
backbone.pretrained.cls_token                  -> imgencoder.cls_token
backbone.pretrained.pos_embed                  -> imgencoder.posenc.cls_embedding + imgencoder.posenc.base_patch_embedding  (split_positions)
backbone.pretrained.patch_embed.proj.*         -> imgencoder.patch_embed.proj.*
backbone.pretrained.blocks.{index}.norm1.*     -> imgencoder.stages.{stage}.blocks.{block}.norm_attn.*
backbone.pretrained.blocks.{index}.attn.qkv.*  -> imgencoder.stages.{stage}.blocks.{block}.attn.qkv.*
backbone.pretrained.blocks.{index}.attn.proj.* -> imgencoder.stages.{stage}.blocks.{block}.attn.proj.*
backbone.pretrained.blocks.{index}.ls1.gamma   -> imgencoder.stages.{stage}.blocks.{block}.scale_attn
backbone.pretrained.blocks.{index}.norm2.*     -> imgencoder.stages.{stage}.blocks.{block}.norm_mlp.*
backbone.pretrained.blocks.{index}.ls2.gamma   -> imgencoder.stages.{stage}.blocks.{block}.scale_mlp
backbone.pretrained.norm.*                     -> imgencoder.norm.*
"""
DINOV2_MLP = """\
backbone.pretrained.blocks.{index}.mlp.fc1.* -> imgencoder.stages.{stage}.blocks.{block}.mlp.layers.0.*
backbone.pretrained.blocks.{index}.mlp.fc2.* -> imgencoder.stages.{stage}.blocks.{block}.mlp.layers.2.*
"""
DINOV2_SWIGLU = """\
pretrained.blocks.{index}.mlp.w12.* -> imgencoder.stages.{stage}.blocks.{block}.mlp.layers.0.*
pretrained.blocks.{index}.mlp.w3.*  -> imgencoder.stages.{stage}.blocks.{block}.mlp.layers.2.*
"""
# A remnant of the encoder's own training, which the official loader requires.
MASK_TOKEN = """\
pretrained.mask_token <- imgencoder.cls_token  (zero_token)
"""
# Under V1's and V2's names; Depth Anything 3 has "head." instead of "depth_head.".
DECODER = (
    """\
depth_head.projects.0.*      -> reassemble.spatial_upx4.resample.0.*
depth_head.projects.1.*      -> reassemble.spatial_upx2.resample.0.*
depth_head.projects.2.*      -> reassemble.spatial_noscale.resample.0.*
depth_head.projects.3.*      -> reassemble.spatial_downx2.resample.0.*
depth_head.resize_layers.0.* -> reassemble.spatial_upx4.resample.1.*
depth_head.resize_layers.1.* -> reassemble.spatial_upx2.resample.1.*
depth_head.resize_layers.3.* -> reassemble.spatial_downx2.resample.1.*
"""
    + OFFICIAL_FUSION
    + """\
depth_head.scratch.output_conv1.*   -> head.spatial_upsampler.0.*
depth_head.scratch.output_conv2.0.* -> head.proj_1ch.0.*
depth_head.scratch.output_conv2.2.* -> head.proj_1ch.2.*
"""
)

TRANSFORMERS = (
    """\
backbone.embeddings.cls_token                                -> imgencoder.cls_token
backbone.embeddings.position_embeddings                      -> imgencoder.posenc.cls_embedding + imgencoder.posenc.base_patch_embedding  (split_positions)
backbone.embeddings.mask_token                               <- imgencoder.cls_token  (zero_token)
backbone.embeddings.patch_embeddings.projection.*            -> imgencoder.patch_embed.proj.*
backbone.encoder.layer.{index}.norm1.*                       -> imgencoder.stages.{stage}.blocks.{block}.norm_attn.*
backbone.encoder.layer.{index}.attention.attention.query.*
+ backbone.encoder.layer.{index}.attention.attention.key.*
+ backbone.encoder.layer.{index}.attention.attention.value.* -> imgencoder.stages.{stage}.blocks.{block}.attn.qkv.*  (merge_qkv)
backbone.encoder.layer.{index}.attention.output.dense.*      -> imgencoder.stages.{stage}.blocks.{block}.attn.proj.*
backbone.encoder.layer.{index}.layer_scale1.lambda1          -> imgencoder.stages.{stage}.blocks.{block}.scale_attn
backbone.encoder.layer.{index}.norm2.*                       -> imgencoder.stages.{stage}.blocks.{block}.norm_mlp.*
backbone.encoder.layer.{index}.layer_scale2.lambda1          -> imgencoder.stages.{stage}.blocks.{block}.scale_mlp
backbone.layernorm.*                                         -> imgencoder.norm.*
"""
    + TRANSFORMERS_REASSEMBLY
    + TRANSFORMERS_FUSION
    + """\
head.conv1.* -> head.spatial_upsampler.0.*
head.conv2.* -> head.proj_1ch.0.*
head.conv3.* -> head.proj_1ch.2.*
"""
)
TRANSFORMERS_MLP = """\
backbone.encoder.layer.{index}.mlp.fc1.* -> imgencoder.stages.{stage}.blocks.{block}.mlp.layers.0.*
backbone.encoder.layer.{index}.mlp.fc2.* -> imgencoder.stages.{stage}.blocks.{block}.mlp.layers.2.*
"""
TRANSFORMERS_SWIGLU = """\
backbone.encoder.layer.{index}.mlp.weights_in.*  -> imgencoder.stages.{stage}.blocks.{block}.mlp.layers.0.*
backbone.encoder.layer.{index}.mlp.weights_out.* -> imgencoder.stages.{stage}.blocks.{block}.mlp.layers.2.*
"""


def official_rules(mlp: str) -> tuple[Rule, ...]:
    """The official table with one of the two kinds of feed-forward layers."""
    encoder = (DINOV2 + mlp).replace("backbone.pretrained.", "pretrained.")
    return depth_rules(encoder, MASK_TOKEN, DECODER)


def plan(
    rules: Sequence[Rule],
    tensors: Mapping[str, Tensor],
    context: FileContext,
    overrides: Overrides,
) -> Plan:
    """Choose V1 or V2, and metric or relative; the variant decides where stages end."""
    blocks = count_tapped_blocks(tensors, rules, context.file)
    hints = (
        find_variant(context, overrides, blocks, V2_TAPS),
        find_max_depth(context, overrides),
    )
    is_v2 = hints[0].value == "v2"
    depths = depths_from_taps(V2_TAPS[blocks] if is_v2 else range(blocks - 4, blocks))
    return Plan(block_rows(depths), depths, hints)


def configure(shapes: Shapes, plan: Plan) -> DPTConfig:
    """The complete configuration, from converted shapes and the two hints."""
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


def _family(name: str, layout: str, signature: tuple[str, ...], rules: Sequence[Rule]) -> Family:
    return depth_family(
        name=name,
        layout=layout,
        signature=signature,
        rules=rules,
        accepts=("variant", "max_depth"),
        plan=partial(plan, rules),
        configure=configure,
    )


OFFICIAL_SIGNATURE = (
    "pretrained.cls_token",
    "pretrained.pos_embed",
    "pretrained.blocks.0.ls1.gamma",
    "depth_head.scratch.output_conv2.2.weight",
)
TRANSFORMERS_SIGNATURE = (
    "backbone.embeddings.position_embeddings",
    "backbone.encoder.layer.0.layer_scale1.lambda1",
    "head.conv3.weight",
)

FAMILIES: tuple[Family, ...] = (
    _family(
        "Depth Anything",
        "official",
        (*OFFICIAL_SIGNATURE, "pretrained.blocks.0.mlp.fc1.weight"),
        official_rules(DINOV2_MLP),
    ),
    _family(
        "Depth Anything giant",
        "official",
        (*OFFICIAL_SIGNATURE, "pretrained.blocks.0.mlp.w12.weight"),
        official_rules(DINOV2_SWIGLU),
    ),
    _family(
        "Depth Anything",
        "transformers",
        (*TRANSFORMERS_SIGNATURE, "backbone.encoder.layer.0.mlp.fc1.weight"),
        depth_rules(TRANSFORMERS, TRANSFORMERS_MLP),
    ),
    _family(
        "Depth Anything giant",
        "transformers",
        (*TRANSFORMERS_SIGNATURE, "backbone.encoder.layer.0.mlp.weights_in.weight"),
        depth_rules(TRANSFORMERS, TRANSFORMERS_SWIGLU),
    ),
)
