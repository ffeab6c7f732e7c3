# ruff: noqa: E501  (keys are whole, so that one in an error message can be searched for)
"""MiDaS v3.1 BEiT (arXiv:2307.14460), MiDaS v3.0 ViT and hybrid (arXiv:2103.13413)."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from ...checkpoint.context import FileContext
from ...checkpoint.family import Family, Plan, leave_as_is
from ...checkpoint.hints import Overrides
from ...checkpoint.rules import Row, Rule, count_blocks
from ...checkpoint.shapes import Shapes
from ..config import DepthHeadConfig, DPTConfig, EncoderConfig, ImageRule
from ..measure import measure_decoder, measure_hybrid, measure_vit
from .family import (
    MIDAS_MEAN,
    MIDAS_STD,
    block_rows,
    count_tapped_blocks,
    depth_family,
    depths_from_taps,
)
from .tables import (
    MIDAS_DECODER,
    TRANSFORMERS_MIDAS_DECODER,
    TRANSFORMERS_READOUT,
    TRANSFORMERS_REASSEMBLY,
    depth_rules,
)

Kind = Literal["BEiT", "ViT", "hybrid"]

# The names that ViT and BEiT share in timm.
TIMM = """\
pretrained.model.cls_token                  -> imgencoder.cls_token
pretrained.model.patch_embed.proj.*         -> imgencoder.patch_embed.proj.*
pretrained.model.blocks.{index}.norm1.*     -> imgencoder.stages.{stage}.blocks.{block}.norm_attn.*
pretrained.model.blocks.{index}.attn.proj.* -> imgencoder.stages.{stage}.blocks.{block}.attn.proj.*
pretrained.model.blocks.{index}.norm2.*     -> imgencoder.stages.{stage}.blocks.{block}.norm_mlp.*
pretrained.model.blocks.{index}.mlp.fc1.*   -> imgencoder.stages.{stage}.blocks.{block}.mlp.layers.0.*
pretrained.model.blocks.{index}.mlp.fc2.*   -> imgencoder.stages.{stage}.blocks.{block}.mlp.layers.2.*
# Remnants of the encoder's own training.
pretrained.model.norm.*                     -> unused
pretrained.model.fc_norm.*                  -> unused
pretrained.model.head.*                     -> unused
"""
TIMM_BEIT = """\
pretrained.model.blocks.{index}.attn.qkv.weight                                           -> imgencoder.stages.{stage}.blocks.{block}.attn.qkv.weight
pretrained.model.blocks.{index}.attn.q_bias + pretrained.model.blocks.{index}.attn.v_bias -> imgencoder.stages.{stage}.blocks.{block}.attn.qkv.bias  (merge_qv)
pretrained.model.blocks.{index}.attn.relative_position_bias_table                         -> imgencoder.stages.{stage}.blocks.{block}.relative_bias.table
pretrained.model.blocks.{index}.attn.relative_position_index                              -> unused
pretrained.model.blocks.{index}.gamma_1                                                   -> imgencoder.stages.{stage}.blocks.{block}.scale_attn
pretrained.model.blocks.{index}.gamma_2                                                   -> imgencoder.stages.{stage}.blocks.{block}.scale_mlp
"""
TIMM_VIT = """\
pretrained.model.pos_embed                 -> imgencoder.posenc.cls_embedding + imgencoder.posenc.base_patch_embedding  (split_positions)
pretrained.model.blocks.{index}.attn.qkv.* -> imgencoder.stages.{stage}.blocks.{block}.attn.qkv.*
"""
TIMM_RESNET = """\
pretrained.model.patch_embed.backbone.stem.conv.weight                                   -> imgencoder.patch_embed.backbone.stem.0.conv.weight
pretrained.model.patch_embed.backbone.stem.norm.*                                        -> imgencoder.patch_embed.backbone.stem.1.*
pretrained.model.patch_embed.backbone.stages.{res_stage}.blocks.{res_block}.conv1.weight -> imgencoder.patch_embed.backbone.stages.{res_stage}.{res_block}.conv1.conv.weight
pretrained.model.patch_embed.backbone.stages.{res_stage}.blocks.{res_block}.conv2.weight -> imgencoder.patch_embed.backbone.stages.{res_stage}.{res_block}.conv2.conv.weight
pretrained.model.patch_embed.backbone.stages.{res_stage}.blocks.{res_block}.conv3.weight -> imgencoder.patch_embed.backbone.stages.{res_stage}.{res_block}.conv3.conv.weight
pretrained.model.patch_embed.backbone.stages.{res_stage}.blocks.{res_block}.norm1.*      -> imgencoder.patch_embed.backbone.stages.{res_stage}.{res_block}.norm1.*
pretrained.model.patch_embed.backbone.stages.{res_stage}.blocks.{res_block}.norm2.*      -> imgencoder.patch_embed.backbone.stages.{res_stage}.{res_block}.norm2.*
pretrained.model.patch_embed.backbone.stages.{res_stage}.blocks.{res_block}.norm3.*      -> imgencoder.patch_embed.backbone.stages.{res_stage}.{res_block}.norm3.*
pretrained.model.patch_embed.backbone.stages.{res_stage}.blocks.0.downsample.conv.weight -> imgencoder.patch_embed.backbone.stages.{res_stage}.0.shortcut.0.conv.weight
pretrained.model.patch_embed.backbone.stages.{res_stage}.blocks.0.downsample.norm.*      -> imgencoder.patch_embed.backbone.stages.{res_stage}.0.shortcut.1.*
"""
# 0 is the readout, 3 the projection, 4 the resampling. The first two stages of the hybrid have none.
REASSEMBLY_TOKENS = """\
pretrained.act_postprocess3.0.project.0.* -> reassemble.spatial_noscale.readout_proj.1.*
pretrained.act_postprocess4.0.project.0.* -> reassemble.spatial_downx2.readout_proj.1.*
pretrained.act_postprocess3.3.*           -> reassemble.spatial_noscale.resample.0.*
pretrained.act_postprocess4.3.*           -> reassemble.spatial_downx2.resample.0.*
pretrained.act_postprocess4.4.*           -> reassemble.spatial_downx2.resample.1.*
"""
REASSEMBLY = (
    """\
pretrained.act_postprocess1.0.project.0.* -> reassemble.spatial_upx4.readout_proj.1.*
pretrained.act_postprocess2.0.project.0.* -> reassemble.spatial_upx2.readout_proj.1.*
pretrained.act_postprocess1.3.*           -> reassemble.spatial_upx4.resample.0.*
pretrained.act_postprocess2.3.*           -> reassemble.spatial_upx2.resample.0.*
pretrained.act_postprocess1.4.*           -> reassemble.spatial_upx4.resample.1.*
pretrained.act_postprocess2.4.*           -> reassemble.spatial_upx2.resample.1.*
"""
    + REASSEMBLY_TOKENS
)

TRANSFORMERS_BEIT = """\
backbone.embeddings.cls_token                                                                          -> imgencoder.cls_token
backbone.embeddings.mask_token                                                                         -> unused
backbone.embeddings.patch_embeddings.projection.*                                                      -> imgencoder.patch_embed.proj.*
backbone.encoder.layer.{index}.layernorm_before.*                                                      -> imgencoder.stages.{stage}.blocks.{block}.norm_attn.*
backbone.encoder.layer.{index}.attention.attention.query.weight
+ backbone.encoder.layer.{index}.attention.attention.key.weight
+ backbone.encoder.layer.{index}.attention.attention.value.weight                                      -> imgencoder.stages.{stage}.blocks.{block}.attn.qkv.weight  (merge_qkv)
backbone.encoder.layer.{index}.attention.attention.query.bias
+ backbone.encoder.layer.{index}.attention.attention.value.bias                                        -> imgencoder.stages.{stage}.blocks.{block}.attn.qkv.bias  (merge_qv)
backbone.encoder.layer.{index}.attention.attention.relative_position_bias.relative_position_bias_table -> imgencoder.stages.{stage}.blocks.{block}.relative_bias.table
backbone.encoder.layer.{index}.attention.attention.relative_position_bias.relative_position_index      -> unused
backbone.encoder.layer.{index}.attention.output.dense.*                                                -> imgencoder.stages.{stage}.blocks.{block}.attn.proj.*
backbone.encoder.layer.{index}.lambda_1                                                                -> imgencoder.stages.{stage}.blocks.{block}.scale_attn
backbone.encoder.layer.{index}.layernorm_after.*                                                       -> imgencoder.stages.{stage}.blocks.{block}.norm_mlp.*
backbone.encoder.layer.{index}.intermediate.dense.*                                                    -> imgencoder.stages.{stage}.blocks.{block}.mlp.layers.0.*
backbone.encoder.layer.{index}.output.dense.*                                                          -> imgencoder.stages.{stage}.blocks.{block}.mlp.layers.2.*
backbone.encoder.layer.{index}.lambda_2                                                                -> imgencoder.stages.{stage}.blocks.{block}.scale_mlp
"""
TRANSFORMERS_VIT = """\
dpt.embeddings.cls_token                                -> imgencoder.cls_token
dpt.embeddings.position_embeddings                      -> imgencoder.posenc.cls_embedding + imgencoder.posenc.base_patch_embedding  (split_positions)
dpt.encoder.layer.{index}.layernorm_before.*            -> imgencoder.stages.{stage}.blocks.{block}.norm_attn.*
dpt.encoder.layer.{index}.attention.attention.query.*
+ dpt.encoder.layer.{index}.attention.attention.key.*
+ dpt.encoder.layer.{index}.attention.attention.value.* -> imgencoder.stages.{stage}.blocks.{block}.attn.qkv.*  (merge_qkv)
dpt.encoder.layer.{index}.attention.output.dense.*      -> imgencoder.stages.{stage}.blocks.{block}.attn.proj.*
dpt.encoder.layer.{index}.layernorm_after.*             -> imgencoder.stages.{stage}.blocks.{block}.norm_mlp.*
dpt.encoder.layer.{index}.intermediate.dense.*          -> imgencoder.stages.{stage}.blocks.{block}.mlp.layers.0.*
dpt.encoder.layer.{index}.output.dense.*                -> imgencoder.stages.{stage}.blocks.{block}.mlp.layers.2.*
dpt.layernorm.*                                         -> unused
"""
TRANSFORMERS_VIT_PATCHES = """\
dpt.embeddings.patch_embeddings.projection.* -> imgencoder.patch_embed.proj.*
"""
TRANSFORMERS_RESNET = """\
dpt.embeddings.backbone.bit.embedder.convolution.weight                                -> imgencoder.patch_embed.backbone.stem.0.conv.weight
dpt.embeddings.backbone.bit.embedder.norm.*                                            -> imgencoder.patch_embed.backbone.stem.1.*
dpt.embeddings.backbone.bit.encoder.stages.{res_stage}.layers.{res_block}.conv1.weight -> imgencoder.patch_embed.backbone.stages.{res_stage}.{res_block}.conv1.conv.weight
dpt.embeddings.backbone.bit.encoder.stages.{res_stage}.layers.{res_block}.conv2.weight -> imgencoder.patch_embed.backbone.stages.{res_stage}.{res_block}.conv2.conv.weight
dpt.embeddings.backbone.bit.encoder.stages.{res_stage}.layers.{res_block}.conv3.weight -> imgencoder.patch_embed.backbone.stages.{res_stage}.{res_block}.conv3.conv.weight
dpt.embeddings.backbone.bit.encoder.stages.{res_stage}.layers.{res_block}.norm1.*      -> imgencoder.patch_embed.backbone.stages.{res_stage}.{res_block}.norm1.*
dpt.embeddings.backbone.bit.encoder.stages.{res_stage}.layers.{res_block}.norm2.*      -> imgencoder.patch_embed.backbone.stages.{res_stage}.{res_block}.norm2.*
dpt.embeddings.backbone.bit.encoder.stages.{res_stage}.layers.{res_block}.norm3.*      -> imgencoder.patch_embed.backbone.stages.{res_stage}.{res_block}.norm3.*
dpt.embeddings.backbone.bit.encoder.stages.{res_stage}.layers.0.downsample.conv.weight -> imgencoder.patch_embed.backbone.stages.{res_stage}.0.shortcut.0.conv.weight
dpt.embeddings.backbone.bit.encoder.stages.{res_stage}.layers.0.downsample.norm.*      -> imgencoder.patch_embed.backbone.stages.{res_stage}.0.shortcut.1.*
dpt.embeddings.projection.*                                                            -> imgencoder.patch_embed.proj.*
"""
TRANSFORMERS_REASSEMBLY_HYBRID = """\
neck.reassemble_stage.readout_projects.2.0.* -> reassemble.spatial_noscale.readout_proj.1.*
neck.reassemble_stage.readout_projects.3.0.* -> reassemble.spatial_downx2.readout_proj.1.*
neck.reassemble_stage.layers.2.projection.*  -> reassemble.spatial_noscale.resample.0.*
neck.reassemble_stage.layers.3.projection.*  -> reassemble.spatial_downx2.resample.0.*
neck.reassemble_stage.layers.3.resize.*      -> reassemble.spatial_downx2.resample.1.*
"""


def plan(
    rules: Sequence[Rule],
    tensors: Mapping[str, Tensor],
    context: FileContext,
    overrides: Overrides,
) -> Plan:
    """Four equal stages; the hybrid's ResNet takes the place of the first two."""
    count = count_tapped_blocks(tensors, rules, context.file)
    first, second, third, last = (count * quarter // 4 - 1 for quarter in (1, 2, 3, 4))
    if not any("{res_block}" in rule.sources[0] for rule in rules):
        depths = depths_from_taps((first, second, third, last))
        return Plan(block_rows(depths), depths)
    depths = (0, 0, third + 1, last - third)
    rows: list[Row] = block_rows(depths)
    for stage in range(3):
        layers = count_blocks(tensors, rules, "res_block", context.file, res_stage=stage)
        rows += [{"res_stage": stage, "res_block": i} for i in range(layers)]
    return Plan(rows, depths)


def configure(kind: Kind, shapes: Shapes, plan: Plan) -> DPTConfig:
    """The complete configuration, from converted shapes."""
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
            mean=MIDAS_MEAN,
            std=MIDAS_STD,
            side=vit.grid[0] * vit.patch,
            multiple=32,
            fit="closest",
            depth_resampling="bicubic",
            depth_corners=False,
        ),
    )


def standardise_resnet(tensors: dict[str, Tensor], _shapes: Shapes, _config: Any) -> None:
    """Bring each output channel's weights to mean 0 and variance 1 (arXiv:1903.10520)."""
    for name, weight in tensors.items():
        if name.startswith("imgencoder.patch_embed.backbone.") and weight.ndim == 4:
            wide = weight.float()
            variance, mean = torch.var_mean(wide, dim=(1, 2, 3), keepdim=True, correction=0)
            tensors[name] = (wide - mean) * torch.rsqrt(variance + 1e-8)


def _family(kind: Kind, layout: str, signature: tuple[str, ...], rules: Sequence[Rule]) -> Family:
    return depth_family(
        name=f"MiDaS {kind}",
        layout=layout,
        signature=signature,
        rules=rules,
        plan=partial(plan, rules),
        configure=partial(configure, kind),
        adapt=standardise_resnet if kind == "hybrid" else leave_as_is,
    )


FAMILIES: tuple[Family, ...] = (
    _family(
        "BEiT",
        "official",
        (
            "pretrained.model.blocks.0.gamma_1",
            "pretrained.model.blocks.0.attn.relative_position_bias_table",
            "scratch.output_conv.4.weight",
        ),
        depth_rules(TIMM, TIMM_BEIT, REASSEMBLY, MIDAS_DECODER),
    ),
    _family(
        "ViT",
        "official",
        (
            "pretrained.model.pos_embed",
            "pretrained.act_postprocess1.0.project.0.weight",
            "scratch.output_conv.4.weight",
        ),
        depth_rules(TIMM, TIMM_VIT, REASSEMBLY, MIDAS_DECODER),
    ),
    _family(
        "hybrid",
        "official",
        (
            "pretrained.model.pos_embed",
            "pretrained.model.patch_embed.backbone.stem.conv.weight",
            "scratch.output_conv.4.weight",
        ),
        depth_rules(TIMM_RESNET, TIMM, TIMM_VIT, REASSEMBLY_TOKENS, MIDAS_DECODER),
    ),
    _family(
        "BEiT",
        "transformers",
        ("backbone.encoder.layer.0.lambda_1", "head.head.4.weight"),
        depth_rules(
            TRANSFORMERS_BEIT,
            TRANSFORMERS_READOUT,
            TRANSFORMERS_REASSEMBLY,
            TRANSFORMERS_MIDAS_DECODER,
        ),
    ),
    _family(
        "ViT",
        "transformers",
        ("dpt.embeddings.patch_embeddings.projection.weight", "head.head.4.weight"),
        depth_rules(
            TRANSFORMERS_VIT_PATCHES,
            TRANSFORMERS_VIT,
            TRANSFORMERS_READOUT,
            TRANSFORMERS_REASSEMBLY,
            TRANSFORMERS_MIDAS_DECODER,
        ),
    ),
    _family(
        "hybrid",
        "transformers",
        ("dpt.embeddings.backbone.bit.embedder.convolution.weight", "head.head.4.weight"),
        depth_rules(
            TRANSFORMERS_RESNET,
            TRANSFORMERS_VIT,
            TRANSFORMERS_REASSEMBLY_HYBRID,
            TRANSFORMERS_MIDAS_DECODER,
        ),
    ),
)
