"""Pieces of renaming tables that several layouts share, and the operations on tensors."""

import torch
from torch import Tensor

from ...checkpoint.rules import Rule
from ..measure import square_side

WB = "{weight,bias}"
SCALES = "{spatial_upx4,spatial_upx2,spatial_noscale,spatial_downx2}"
RESIZED = "{spatial_upx4,spatial_upx2,spatial_downx2}"
BLOCK = "imgencoder.stages.{stage}.blocks.{block}"

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)

POSITIONS = ("imgencoder.posenc.cls_embedding", "imgencoder.posenc.base_patch_embedding")


def split_positions(positions: Tensor) -> tuple[Tensor, Tensor]:
    """1×(1+g²)×C → the cls token's 1×1×C and the patches' 1×C×g×g."""
    _, count, width = positions.shape
    side = square_side(count - 1)
    if side is None:
        raise ValueError(f"{count - 1} patch positions are not a square")
    patches = positions[:, 1:].reshape(1, side, side, width).permute(0, 3, 1, 2)
    return positions[:, :1].contiguous(), patches.contiguous()


def join_positions(cls: Tensor, patches: Tensor) -> Tensor:
    """The way back from `split_positions`."""
    return torch.cat([cls, patches.flatten(2).transpose(1, 2)], dim=1)


def merge_qkv(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Three projections (or their biases) → one."""
    if not query.shape == key.shape == value.shape:
        raise ValueError("query, key and value differ in shape")
    return torch.cat([query, key, value])


def merge_qv_bias(query: Tensor, value: Tensor) -> Tensor:
    """The biases of query and value → one for qkv; the key has none, which is 0."""
    if query.shape != value.shape:
        raise ValueError("query and value differ in shape")
    return torch.cat([query, torch.zeros_like(query), value])


def standardise(weight: Tensor) -> Tensor:
    """Weights of each output channel to mean 0 and variance 1 (arXiv:1903.10520)."""
    variance, mean = torch.var_mean(weight.float(), dim=(1, 2, 3), keepdim=True, correction=0)
    return (weight.float() - mean) * torch.rsqrt(variance + 1e-8)


def timm_blocks(source: str, target: str = BLOCK) -> tuple[Rule, ...]:
    """Norms, output projection and feed-forward of a block as timm names them."""
    return (
        Rule(f"{source}.{{norm1,norm2}}.{WB}", f"{target}.{{norm_attn,norm_mlp}}.{WB}"),
        Rule(f"{source}.attn.proj.{WB}", f"{target}.attn.proj.{WB}"),
        Rule(f"{source}.mlp.{{fc1,fc2}}.{WB}", f"{target}.mlp.layers.{{0,2}}.{WB}"),
    )


def official_fusion(scratch: str) -> tuple[Rule, ...]:
    """The decoder's last convolutions of reassembly, and fusion, in the official layouts."""
    refine = f"{scratch}.refinenet"
    return (
        Rule(f"{scratch}.layer{{1,2,3,4}}_rn.weight", f"reassemble.{SCALES}.fuse_proj.weight"),
        Rule(
            f"{refine}{{1,2,3}}.resConfUnit1.conv{{1,2}}.{WB}",
            f"fusion.blocks.{{0,1,2}}.conv_reassembly.conv_seq.{{1,3}}.{WB}",
        ),
        # The coarsest block has nothing to add a map to.
        Rule(f"{refine}4.resConfUnit1.conv{{1,2}}.{WB}", None, optional=True),
        Rule(
            f"{refine}{{1,2,3,4}}.resConfUnit2.conv{{1,2}}.{WB}",
            f"fusion.blocks.{{0,1,2,3}}.proj_seq.0.conv_seq.{{1,3}}.{WB}",
        ),
        Rule(f"{refine}{{1,2,3,4}}.out_conv.{WB}", f"fusion.blocks.{{0,1,2,3}}.proj_seq.1.{WB}"),
    )


def midas_head(source: str) -> tuple[Rule, ...]:
    """The head of the MiDaS families: convolutions 0, 2 and 4 of one sequence."""
    return (
        Rule(f"{source}.0.{WB}", f"head.spatial_upsampler.0.{WB}"),
        Rule(f"{source}.{{2,4}}.{WB}", f"head.proj_1ch.{{0,2}}.{WB}"),
    )


def transformers_fusion() -> tuple[Rule, ...]:
    """``neck.*`` after the reassembly in the transformers layout: coarsest first there."""
    layer = "neck.fusion_stage.layers"
    return (
        Rule("neck.convs.{0,1,2,3}.weight", f"reassemble.{SCALES}.fuse_proj.weight"),
        Rule(
            f"{layer}.{{1,2,3}}.residual_layer1.convolution{{1,2}}.{WB}",
            f"fusion.blocks.{{2,1,0}}.conv_reassembly.conv_seq.{{1,3}}.{WB}",
        ),
        # The coarsest block has nothing to add a map to.
        Rule(f"{layer}.0.residual_layer1.convolution{{1,2}}.{WB}", None, optional=True),
        Rule(
            f"{layer}.{{0,1,2,3}}.residual_layer2.convolution{{1,2}}.{WB}",
            f"fusion.blocks.{{3,2,1,0}}.proj_seq.0.conv_seq.{{1,3}}.{WB}",
        ),
        Rule(
            f"{layer}.{{0,1,2,3}}.projection.{WB}",
            f"fusion.blocks.{{3,2,1,0}}.proj_seq.1.{WB}",
        ),
    )


def transformers_reassembly() -> tuple[Rule, ...]:
    """``neck.reassemble_stage`` of encoders whose four stages are all tokens."""
    layer = "neck.reassemble_stage.layers"
    return (
        Rule(f"{layer}.{{0,1,2,3}}.projection.{WB}", f"reassemble.{SCALES}.resample.0.{WB}"),
        Rule(f"{layer}.{{0,1,3}}.resize.{WB}", f"reassemble.{RESIZED}.resample.1.{WB}"),
    )


def transformers_attention(source: str, key_bias: bool = True) -> tuple[Rule, ...]:
    """Separate query, key and value → qkv."""
    merged = f"{BLOCK}.attn.qkv"
    weights = tuple(f"{source}.{part}.weight" for part in ("query", "key", "value"))
    if key_bias:
        biases = tuple(f"{source}.{part}.bias" for part in ("query", "key", "value"))
        bias_rule = Rule(biases, f"{merged}.bias", merge_qkv)
    else:
        biases = (f"{source}.query.bias", f"{source}.value.bias")
        bias_rule = Rule(biases, f"{merged}.bias", merge_qv_bias)
    return Rule(weights, f"{merged}.weight", merge_qkv), bias_rule


def transformers_blocks(layer: str) -> tuple[Rule, ...]:
    """Norms, output projection and feed-forward in transformers' ViT, BEiT and Swin V2."""
    return (
        Rule(
            f"{layer}.{{layernorm_before,layernorm_after}}.{WB}",
            f"{BLOCK}.{{norm_attn,norm_mlp}}.{WB}",
        ),
        Rule(f"{layer}.attention.output.dense.{WB}", f"{BLOCK}.attn.proj.{WB}"),
        Rule(f"{layer}.intermediate.dense.{WB}", f"{BLOCK}.mlp.layers.0.{WB}"),
        Rule(f"{layer}.output.dense.{WB}", f"{BLOCK}.mlp.layers.2.{WB}"),
    )
