"""MiDaS v3.1 BEiT (arXiv:2307.14460), MiDaS v3.0 ViT and hybrid (arXiv:2103.13413)."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Literal

from torch import Tensor

from ...checkpoint.context import FileContext
from ...checkpoint.family import Family, Plan
from ...checkpoint.hints import Overrides
from ...checkpoint.rules import Row, Rule, count_blocks
from ..config import DepthHeadConfig, DPTConfig, EncoderConfig, ImageRule
from ..measure import Shapes, at_least_four, measure_decoder, measure_hybrid, measure_vit
from .family import block_rows, depth_family, depths_from_taps
from .shared import (
    BLOCK,
    HALF,
    POSITIONS,
    RESIZED,
    SCALES,
    WB,
    merge_qv_bias,
    midas_head,
    official_fusion,
    split_positions,
    standardise,
    timm_blocks,
    transformers_attention,
    transformers_blocks,
    transformers_fusion,
    transformers_reassembly,
)

Kind = Literal["BEiT", "ViT", "hybrid"]

_MODEL = "pretrained.model"
_TIMM = f"{_MODEL}.blocks.{{index}}"
_QKV = Rule(f"{_TIMM}.attn.qkv.{WB}", f"{BLOCK}.attn.qkv.{WB}")

# act_postprocessN: 0 the readout, 3 the projection, 4 the resampling.
_POST = "pretrained.act_postprocess"
_REASSEMBLY = (
    Rule(f"{_POST}{{1,2,3,4}}.0.project.0.{WB}", f"reassemble.{SCALES}.readout_proj.1.{WB}"),
    Rule(f"{_POST}{{1,2,3,4}}.3.{WB}", f"reassemble.{SCALES}.resample.0.{WB}"),
    Rule(f"{_POST}{{1,2,4}}.4.{WB}", f"reassemble.{RESIZED}.resample.1.{WB}"),
)
_DECODER = (*official_fusion("scratch"), *midas_head("scratch.output_conv"))
_CLASSIFIER = (  # what is left of the encoder's own training
    Rule(f"{_MODEL}.{{norm,fc_norm,head}}.{WB}", None, optional=True),
)

_BEIT = (
    Rule(f"{_MODEL}.cls_token", "imgencoder.cls_token"),
    Rule(f"{_MODEL}.patch_embed.proj.{WB}", f"imgencoder.patch_embed.proj.{WB}"),
    *timm_blocks(_TIMM),
    Rule(f"{_TIMM}.gamma_{{1,2}}", f"{BLOCK}.{{scale_attn,scale_mlp}}"),
    Rule(f"{_TIMM}.attn.qkv.weight", f"{BLOCK}.attn.qkv.weight"),
    Rule((f"{_TIMM}.attn.q_bias", f"{_TIMM}.attn.v_bias"), f"{BLOCK}.attn.qkv.bias", merge_qv_bias),
    Rule(f"{_TIMM}.attn.relative_position_bias_table", f"{BLOCK}.relative_bias.table"),
    Rule(f"{_TIMM}.attn.relative_position_index", None, optional=True),
    *_CLASSIFIER,
    *_REASSEMBLY,
    *_DECODER,
)

_VIT_ENCODER = (
    Rule(f"{_MODEL}.cls_token", "imgencoder.cls_token"),
    Rule(f"{_MODEL}.pos_embed", POSITIONS, split_positions),
    Rule(f"{_MODEL}.patch_embed.proj.{WB}", f"imgencoder.patch_embed.proj.{WB}"),
    *timm_blocks(_TIMM),
    _QKV,
    *_CLASSIFIER,
)
_VIT = (*_VIT_ENCODER, *_REASSEMBLY, *_DECODER)


def _resnet(stem: str, layer: str) -> tuple[Rule, ...]:
    """A ResNetV2 whose stem and bottlenecks are called so; convolutions standardised."""
    target = "imgencoder.patch_embed.backbone"
    block = f"{target}.stages.{{res_stage}}.{{res_block}}"
    first = layer.format(res_stage="{0,1,2}", res_block="0")
    shortcut = f"{target}.stages.{{0,1,2}}.0.shortcut"
    return (
        Rule(f"{stem}.weight", f"{target}.stem.0.conv.weight", standardise),
        Rule(f"{stem.rpartition('.')[0]}.norm.{WB}", f"{target}.stem.1.{WB}"),
        Rule(f"{layer}.conv{{1,2,3}}.weight", f"{block}.conv{{1,2,3}}.conv.weight", standardise),
        Rule(f"{layer}.norm{{1,2,3}}.{WB}", f"{block}.norm{{1,2,3}}.{WB}"),
        Rule(f"{first}.downsample.conv.weight", f"{shortcut}.0.conv.weight", standardise),
        Rule(f"{first}.downsample.norm.{WB}", f"{shortcut}.1.{WB}"),
    )


_BACKBONE = f"{_MODEL}.patch_embed.backbone"
_HYBRID = (
    *_VIT_ENCODER,
    *_resnet(f"{_BACKBONE}.stem.conv", f"{_BACKBONE}.stages.{{res_stage}}.blocks.{{res_block}}"),
    Rule(
        f"{_POST}{{3,4}}.0.project.0.{WB}",
        f"reassemble.{{spatial_noscale,spatial_downx2}}.readout_proj.1.{WB}",
    ),
    Rule(
        f"{_POST}{{3,4}}.3.{WB}",
        f"reassemble.{{spatial_noscale,spatial_downx2}}.resample.0.{WB}",
    ),
    Rule(f"{_POST}4.4.{WB}", f"reassemble.spatial_downx2.resample.1.{WB}"),
    *_DECODER,
)

_NECK = "neck.reassemble_stage"
_READOUT = Rule(
    f"{_NECK}.readout_projects.{{0,1,2,3}}.0.{WB}", f"reassemble.{SCALES}.readout_proj.1.{WB}"
)
_LAYER = "backbone.encoder.layer.{index}"
_TRANSFORMERS_BEIT = (
    Rule("backbone.embeddings.cls_token", "imgencoder.cls_token"),
    Rule("backbone.embeddings.mask_token", None, optional=True),
    Rule(
        f"backbone.embeddings.patch_embeddings.projection.{WB}",
        f"imgencoder.patch_embed.proj.{WB}",
    ),
    *transformers_blocks(_LAYER),
    *transformers_attention(f"{_LAYER}.attention.attention", key_bias=False),
    Rule(f"{_LAYER}.lambda_{{1,2}}", f"{BLOCK}.{{scale_attn,scale_mlp}}"),
    Rule(
        f"{_LAYER}.attention.attention.relative_position_bias.relative_position_bias_table",
        f"{BLOCK}.relative_bias.table",
    ),
    Rule(
        f"{_LAYER}.attention.attention.relative_position_bias.relative_position_index",
        None,
        optional=True,
    ),
    _READOUT,
    *transformers_reassembly(),
    *transformers_fusion(),
    *midas_head("head.head"),
)

_DPT_LAYER = "dpt.encoder.layer.{index}"
_TRANSFORMERS_VIT_ENCODER = (
    Rule("dpt.embeddings.cls_token", "imgencoder.cls_token"),
    Rule("dpt.embeddings.position_embeddings", POSITIONS, split_positions),
    *transformers_blocks(_DPT_LAYER),
    *transformers_attention(f"{_DPT_LAYER}.attention.attention"),
    Rule(f"dpt.layernorm.{WB}", None, optional=True),
    *transformers_fusion(),
    *midas_head("head.head"),
)
_TRANSFORMERS_VIT = (
    *_TRANSFORMERS_VIT_ENCODER,
    Rule(f"dpt.embeddings.patch_embeddings.projection.{WB}", f"imgencoder.patch_embed.proj.{WB}"),
    _READOUT,
    *transformers_reassembly(),
)
_BIT = "dpt.embeddings.backbone.bit"
_TRANSFORMERS_HYBRID = (
    *_TRANSFORMERS_VIT_ENCODER,
    *_resnet(
        f"{_BIT}.embedder.convolution",
        f"{_BIT}.encoder.stages.{{res_stage}}.layers.{{res_block}}",
    ),
    Rule(f"dpt.embeddings.projection.{WB}", f"imgencoder.patch_embed.proj.{WB}"),
    Rule(
        f"{_NECK}.readout_projects.{{2,3}}.0.{WB}",
        f"reassemble.{{spatial_noscale,spatial_downx2}}.readout_proj.1.{WB}",
    ),
    Rule(
        f"{_NECK}.layers.{{2,3}}.projection.{WB}",
        f"reassemble.{{spatial_noscale,spatial_downx2}}.resample.0.{WB}",
    ),
    Rule(f"{_NECK}.layers.3.resize.{WB}", f"reassemble.spatial_downx2.resample.1.{WB}"),
)


def plan(
    block: str,
    bottleneck: str | None,
    tensors: Mapping[str, Tensor],
    context: FileContext,
    overrides: Overrides,
) -> Plan:
    """Four equal stages; the hybrid's ResNet takes the place of the first two."""
    count = at_least_four(count_blocks(tensors, block, context.file), context.file)
    first, second, third, last = (count * quarter // 4 - 1 for quarter in (1, 2, 3, 4))
    if bottleneck is None:
        depths = depths_from_taps((first, second, third, last))
        return Plan(block_rows(depths), depths)
    depths = (0, 0, third + 1, last - third)
    rows: list[Row] = block_rows(depths)
    for stage in range(3):
        pattern = bottleneck.replace("STAGE", str(stage))
        layers = count_blocks(tensors, pattern, context.file)
        rows += [{"res_stage": stage, "res_block": i} for i in range(layers)]
    return Plan(rows, depths)


def configure(kind: Kind, shapes: Shapes, plan: Plan) -> DPTConfig:
    """The whole configuration, from converted shapes."""
    positions = "relative" if kind == "BEiT" else "bilinear"
    vit = measure_vit(shapes, plan.stage_depths, positions=positions, final_norm_eps=None)
    encoder: EncoderConfig = measure_hybrid(shapes, vit) if kind == "hybrid" else vit
    decoder = measure_decoder(shapes, encoder)
    version = "v3.1" if kind == "BEiT" else "v3.0"
    return DPTConfig(
        family=f"MiDaS {version} {kind}",
        encoder=encoder,
        reassembly=decoder.reassembly,
        features=decoder.features,
        head=DepthHeadConfig(decoder.head_channels),
        image=ImageRule(
            mean=HALF,
            std=HALF,
            side=vit.grid[0] * vit.patch,
            multiple=32,
            fit="closest",
            depth_resampling="bicubic",
            depth_corners=False,
        ),
    )


def _family(
    kind: Kind,
    layout: str,
    signature: tuple[str, ...],
    rules: tuple[Rule, ...],
    block: str,
    bottleneck: str | None = None,
) -> Family:
    return depth_family(
        name=f"MiDaS {kind}",
        layout=layout,
        signature=signature,
        rules=rules,
        accepts=(),
        plan=partial(plan, block, bottleneck),
        configure=partial(configure, kind),
    )


_OFFICIAL_BLOCK = re.escape(_MODEL) + r"\.blocks\.(\d+)\."

FAMILIES: tuple[Family, ...] = (
    _family(
        "BEiT",
        "official",
        (
            f"{_MODEL}.blocks.0.gamma_1",
            f"{_MODEL}.blocks.0.attn.relative_position_bias_table",
            "scratch.output_conv.4.weight",
        ),
        _BEIT,
        _OFFICIAL_BLOCK,
    ),
    _family(
        "ViT",
        "official",
        (
            f"{_MODEL}.pos_embed",
            f"{_POST}1.0.project.0.weight",
            "scratch.output_conv.4.weight",
        ),
        _VIT,
        _OFFICIAL_BLOCK,
    ),
    _family(
        "hybrid",
        "official",
        (
            f"{_MODEL}.pos_embed",
            f"{_BACKBONE}.stem.conv.weight",
            "scratch.output_conv.4.weight",
        ),
        _HYBRID,
        _OFFICIAL_BLOCK,
        re.escape(_BACKBONE) + r"\.stages\.STAGE\.blocks\.(\d+)\.",
    ),
    _family(
        "BEiT",
        "transformers",
        ("backbone.encoder.layer.0.lambda_1", "head.head.4.weight"),
        _TRANSFORMERS_BEIT,
        r"backbone\.encoder\.layer\.(\d+)\.",
    ),
    _family(
        "ViT",
        "transformers",
        ("dpt.embeddings.patch_embeddings.projection.weight", "head.head.4.weight"),
        _TRANSFORMERS_VIT,
        r"dpt\.encoder\.layer\.(\d+)\.",
    ),
    _family(
        "hybrid",
        "transformers",
        (f"{_BIT}.embedder.convolution.weight", "head.head.4.weight"),
        _TRANSFORMERS_HYBRID,
        r"dpt\.encoder\.layer\.(\d+)\.",
        re.escape(_BIT) + r"\.encoder\.stages\.STAGE\.layers\.(\d+)\.",
    ),
)
