# ruff: noqa: E501  (keys are whole, so that one in an error message can be searched for)
"""Renaming tables that several layouts share, and the operations on tensors."""

import torch
from torch import Tensor

from ...checkpoint.rules import Operation, Rule, parse_rules
from ..measure import square_side

# Under Depth Anything V1's and V2's names; before "scratch." Depth Anything 3 has "head.", MiDaS nothing.
OFFICIAL_FUSION = """\
depth_head.scratch.layer1_rn.weight -> reassemble.spatial_upx4.fuse_proj.weight
depth_head.scratch.layer2_rn.weight -> reassemble.spatial_upx2.fuse_proj.weight
depth_head.scratch.layer3_rn.weight -> reassemble.spatial_noscale.fuse_proj.weight
depth_head.scratch.layer4_rn.weight -> reassemble.spatial_downx2.fuse_proj.weight

depth_head.scratch.refinenet1.resConfUnit1.conv1.* -> fusion.blocks.0.conv_reassembly.conv_seq.1.*
depth_head.scratch.refinenet1.resConfUnit1.conv2.* -> fusion.blocks.0.conv_reassembly.conv_seq.3.*
depth_head.scratch.refinenet1.resConfUnit2.conv1.* -> fusion.blocks.0.proj_seq.0.conv_seq.1.*
depth_head.scratch.refinenet1.resConfUnit2.conv2.* -> fusion.blocks.0.proj_seq.0.conv_seq.3.*
depth_head.scratch.refinenet1.out_conv.*           -> fusion.blocks.0.proj_seq.1.*
depth_head.scratch.refinenet2.resConfUnit1.conv1.* -> fusion.blocks.1.conv_reassembly.conv_seq.1.*
depth_head.scratch.refinenet2.resConfUnit1.conv2.* -> fusion.blocks.1.conv_reassembly.conv_seq.3.*
depth_head.scratch.refinenet2.resConfUnit2.conv1.* -> fusion.blocks.1.proj_seq.0.conv_seq.1.*
depth_head.scratch.refinenet2.resConfUnit2.conv2.* -> fusion.blocks.1.proj_seq.0.conv_seq.3.*
depth_head.scratch.refinenet2.out_conv.*           -> fusion.blocks.1.proj_seq.1.*
depth_head.scratch.refinenet3.resConfUnit1.conv1.* -> fusion.blocks.2.conv_reassembly.conv_seq.1.*
depth_head.scratch.refinenet3.resConfUnit1.conv2.* -> fusion.blocks.2.conv_reassembly.conv_seq.3.*
depth_head.scratch.refinenet3.resConfUnit2.conv1.* -> fusion.blocks.2.proj_seq.0.conv_seq.1.*
depth_head.scratch.refinenet3.resConfUnit2.conv2.* -> fusion.blocks.2.proj_seq.0.conv_seq.3.*
depth_head.scratch.refinenet3.out_conv.*           -> fusion.blocks.2.proj_seq.1.*
depth_head.scratch.refinenet4.resConfUnit2.conv1.* -> fusion.blocks.3.proj_seq.0.conv_seq.1.*
depth_head.scratch.refinenet4.resConfUnit2.conv2.* -> fusion.blocks.3.proj_seq.0.conv_seq.3.*
depth_head.scratch.refinenet4.out_conv.*           -> fusion.blocks.3.proj_seq.1.*
# The coarsest block adds no map, but the official code has these layers anyway.
depth_head.scratch.refinenet4.resConfUnit1.conv1.* <- fusion.blocks.3.proj_seq.0.conv_seq.1.*  (zeros)
depth_head.scratch.refinenet4.resConfUnit1.conv2.* <- fusion.blocks.3.proj_seq.0.conv_seq.3.*  (zeros)
"""

# For encoders whose four stages all consist of tokens.
TRANSFORMERS_REASSEMBLY = """\
neck.reassemble_stage.layers.0.projection.* -> reassemble.spatial_upx4.resample.0.*
neck.reassemble_stage.layers.1.projection.* -> reassemble.spatial_upx2.resample.0.*
neck.reassemble_stage.layers.2.projection.* -> reassemble.spatial_noscale.resample.0.*
neck.reassemble_stage.layers.3.projection.* -> reassemble.spatial_downx2.resample.0.*
neck.reassemble_stage.layers.0.resize.*     -> reassemble.spatial_upx4.resample.1.*
neck.reassemble_stage.layers.1.resize.*     -> reassemble.spatial_upx2.resample.1.*
neck.reassemble_stage.layers.3.resize.*     -> reassemble.spatial_downx2.resample.1.*
"""
TRANSFORMERS_READOUT = """\
neck.reassemble_stage.readout_projects.0.0.* -> reassemble.spatial_upx4.readout_proj.1.*
neck.reassemble_stage.readout_projects.1.0.* -> reassemble.spatial_upx2.readout_proj.1.*
neck.reassemble_stage.readout_projects.2.0.* -> reassemble.spatial_noscale.readout_proj.1.*
neck.reassemble_stage.readout_projects.3.0.* -> reassemble.spatial_downx2.readout_proj.1.*
"""
# Coarsest first, in reverse order compared with the official layouts.
TRANSFORMERS_FUSION = """\
neck.convs.0.weight -> reassemble.spatial_upx4.fuse_proj.weight
neck.convs.1.weight -> reassemble.spatial_upx2.fuse_proj.weight
neck.convs.2.weight -> reassemble.spatial_noscale.fuse_proj.weight
neck.convs.3.weight -> reassemble.spatial_downx2.fuse_proj.weight

# The coarsest block adds no map, but transformers has these layers anyway.
neck.fusion_stage.layers.0.residual_layer1.convolution1.* <- fusion.blocks.3.proj_seq.0.conv_seq.1.*  (zeros)
neck.fusion_stage.layers.0.residual_layer1.convolution2.* <- fusion.blocks.3.proj_seq.0.conv_seq.3.*  (zeros)
neck.fusion_stage.layers.0.residual_layer2.convolution1.* -> fusion.blocks.3.proj_seq.0.conv_seq.1.*
neck.fusion_stage.layers.0.residual_layer2.convolution2.* -> fusion.blocks.3.proj_seq.0.conv_seq.3.*
neck.fusion_stage.layers.0.projection.*                   -> fusion.blocks.3.proj_seq.1.*
neck.fusion_stage.layers.1.residual_layer1.convolution1.* -> fusion.blocks.2.conv_reassembly.conv_seq.1.*
neck.fusion_stage.layers.1.residual_layer1.convolution2.* -> fusion.blocks.2.conv_reassembly.conv_seq.3.*
neck.fusion_stage.layers.1.residual_layer2.convolution1.* -> fusion.blocks.2.proj_seq.0.conv_seq.1.*
neck.fusion_stage.layers.1.residual_layer2.convolution2.* -> fusion.blocks.2.proj_seq.0.conv_seq.3.*
neck.fusion_stage.layers.1.projection.*                   -> fusion.blocks.2.proj_seq.1.*
neck.fusion_stage.layers.2.residual_layer1.convolution1.* -> fusion.blocks.1.conv_reassembly.conv_seq.1.*
neck.fusion_stage.layers.2.residual_layer1.convolution2.* -> fusion.blocks.1.conv_reassembly.conv_seq.3.*
neck.fusion_stage.layers.2.residual_layer2.convolution1.* -> fusion.blocks.1.proj_seq.0.conv_seq.1.*
neck.fusion_stage.layers.2.residual_layer2.convolution2.* -> fusion.blocks.1.proj_seq.0.conv_seq.3.*
neck.fusion_stage.layers.2.projection.*                   -> fusion.blocks.1.proj_seq.1.*
neck.fusion_stage.layers.3.residual_layer1.convolution1.* -> fusion.blocks.0.conv_reassembly.conv_seq.1.*
neck.fusion_stage.layers.3.residual_layer1.convolution2.* -> fusion.blocks.0.conv_reassembly.conv_seq.3.*
neck.fusion_stage.layers.3.residual_layer2.convolution1.* -> fusion.blocks.0.proj_seq.0.conv_seq.1.*
neck.fusion_stage.layers.3.residual_layer2.convolution2.* -> fusion.blocks.0.proj_seq.0.conv_seq.3.*
neck.fusion_stage.layers.3.projection.*                   -> fusion.blocks.0.proj_seq.1.*
"""

# The rest of MiDaS's decoder, in its own layout (with OFFICIAL_FUSION) and in transformers'.
MIDAS_DECODER = (
    OFFICIAL_FUSION.replace("depth_head.scratch.", "scratch.")
    + """\
scratch.output_conv.0.* -> head.spatial_upsampler.0.*
scratch.output_conv.2.* -> head.proj_1ch.0.*
scratch.output_conv.4.* -> head.proj_1ch.2.*
"""
)
TRANSFORMERS_MIDAS_DECODER = (
    TRANSFORMERS_FUSION
    + """\
head.head.0.* -> head.spatial_upsampler.0.*
head.head.2.* -> head.proj_1ch.0.*
head.head.4.* -> head.proj_1ch.2.*
"""
)


def depth_rules(*tables: str) -> tuple[Rule, ...]:
    """The rules of a layout, from the parts of its table."""
    return parse_rules("\n".join(tables), OPERATIONS)


def split_positions(positions: Tensor) -> tuple[Tensor, Tensor]:
    """1×(1+g²)×C → the cls token's 1×1×C and the patches' 1×C×g×g."""
    _, count, width = positions.shape
    side = square_side(count - 1)
    if side is None:
        raise ValueError(f"{count - 1} patch positions are not a square")
    patches = positions[:, 1:].reshape(1, side, side, width).permute(0, 3, 1, 2)
    return positions[:, :1].contiguous(), patches.contiguous()


def join_positions(cls: Tensor, patches: Tensor) -> Tensor:
    """1×1×C and 1×C×g×g → 1×(1+g²)×C."""
    return torch.cat([cls, patches.flatten(2).transpose(1, 2)], dim=1)


def merge_qkv(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Three projections (or their biases) → one, query first."""
    if not query.shape == key.shape == value.shape:
        raise ValueError("query, key and value differ in shape")
    return torch.cat([query, key, value])


def split_qkv(merged: Tensor) -> tuple[Tensor, ...]:
    """One projection (or its bias) → query, key and value."""
    return merged.chunk(3)


def merge_qv(query: Tensor, value: Tensor) -> Tensor:
    """The biases of query and value → one for qkv; the key has none, so its part is 0."""
    return merge_qkv(query, torch.zeros_like(query), value)


def split_qv(merged: Tensor) -> tuple[Tensor, Tensor]:
    """The bias of qkv → those of query and value; the key's part, which is 0, is dropped."""
    query, _, value = merged.chunk(3)
    return query, value


def _unused(*_: Tensor) -> tuple[Tensor, ...]:
    return ()


OPERATIONS = {
    "split_positions": Operation(split_positions, join_positions),
    "merge_qkv": Operation(merge_qkv, split_qkv),
    "merge_qv": Operation(merge_qv, split_qv),
    "zeros": Operation(_unused, torch.zeros_like),
    "zero_token": Operation(_unused, lambda cls: torch.zeros_like(cls[0])),  # 1×1×C → 1×C
}
