"""Depth Anything V1 (arXiv:2401.10891) and V2 (arXiv:2406.09414), official key layout."""

from typing import Any

from torch import Tensor

from ...checkpoint.rules import Rule
from ...errors import CheckpointError
from ..config import DPTConfig, ImageRule
from ..hints import Hint, Surroundings, find_max_depth, find_variant
from ..measure import Shapes, measure_decoder, measure_vit, square_side
from .family import Family, Requests, StageDepths, depths_from_taps

# 0-based, from V2's official code; V1 taps the last four blocks of any encoder.
V2_TAPS = {12: (2, 5, 8, 11), 24: (4, 11, 17, 23), 40: (9, 19, 29, 39)}

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def split_positions(positions: Tensor) -> tuple[Tensor, Tensor]:
    """1×(1+g²)×C → the cls token's 1×1×C and the patches' 1×C×g×g."""
    _, count, width = positions.shape
    side = square_side(count - 1)
    if side is None:
        raise ValueError(f"{count - 1} patch positions are not a square")
    patches = positions[:, 1:].reshape(1, side, side, width).permute(0, 3, 1, 2)
    return positions[:, :1].contiguous(), patches.contiguous()


_SCALES = "{spatial_upx4,spatial_upx2,spatial_noscale,spatial_downx2}"
_PLACE = "imgencoder.stages.{stage}.blocks.{block}"
_BLOCK = "pretrained.blocks.{index}"
_SCRATCH = "depth_head.scratch"

RULES = (
    Rule("pretrained.cls_token", "imgencoder.cls_token"),
    Rule(
        "pretrained.pos_embed",
        ("imgencoder.posenc.cls_embedding", "imgencoder.posenc.base_patch_embedding"),
        split_positions,
    ),
    Rule("pretrained.mask_token", None, optional=True),  # for DINOv2's training
    Rule(
        "pretrained.patch_embed.proj.{weight,bias}",
        "imgencoder.patch_embed.proj.{weight,bias}",
    ),
    Rule(
        f"{_BLOCK}.{{norm1,norm2}}.{{weight,bias}}",
        f"{_PLACE}.{{norm_attn,norm_mlp}}.{{weight,bias}}",
    ),
    Rule(
        f"{_BLOCK}.attn.{{qkv,proj}}.{{weight,bias}}", f"{_PLACE}.attn.{{qkv,proj}}.{{weight,bias}}"
    ),
    Rule(f"{_BLOCK}.{{ls1,ls2}}.gamma", f"{_PLACE}.{{scale_attn,scale_mlp}}"),
    Rule("pretrained.norm.{weight,bias}", "imgencoder.norm.{weight,bias}"),
    Rule(
        "depth_head.projects.{0,1,2,3}.{weight,bias}",
        f"reassemble.{_SCALES}.resample.0.{{weight,bias}}",
    ),
    Rule(
        "depth_head.resize_layers.{0,1,3}.{weight,bias}",
        "reassemble.{spatial_upx4,spatial_upx2,spatial_downx2}.resample.1.{weight,bias}",
    ),
    Rule(f"{_SCRATCH}.layer{{1,2,3,4}}_rn.weight", f"reassemble.{_SCALES}.fuse_proj.weight"),
    Rule(
        f"{_SCRATCH}.refinenet{{1,2,3}}.resConfUnit1.conv{{1,2}}.{{weight,bias}}",
        "fusion.blocks.{0,1,2}.conv_reassembly.conv_seq.{1,3}.{weight,bias}",
    ),
    # The coarsest block has nothing to add a map to.
    Rule(f"{_SCRATCH}.refinenet4.resConfUnit1.conv{{1,2}}.{{weight,bias}}", None, optional=True),
    Rule(
        f"{_SCRATCH}.refinenet{{1,2,3,4}}.resConfUnit2.conv{{1,2}}.{{weight,bias}}",
        "fusion.blocks.{0,1,2,3}.proj_seq.0.conv_seq.{1,3}.{weight,bias}",
    ),
    Rule(
        f"{_SCRATCH}.refinenet{{1,2,3,4}}.out_conv.{{weight,bias}}",
        "fusion.blocks.{0,1,2,3}.proj_seq.1.{weight,bias}",
    ),
    Rule(f"{_SCRATCH}.output_conv1.{{weight,bias}}", "head.spatial_upsampler.0.{weight,bias}"),
    Rule(f"{_SCRATCH}.output_conv2.{{0,2}}.{{weight,bias}}", "head.proj_1ch.{0,2}.{weight,bias}"),
)

GELU_MLP = Rule(
    f"{_BLOCK}.mlp.{{fc1,fc2}}.{{weight,bias}}", f"{_PLACE}.mlp.layers.{{0,2}}.{{weight,bias}}"
)
SWIGLU_MLP = Rule(
    f"{_BLOCK}.mlp.{{w12,w3}}.{{weight,bias}}", f"{_PLACE}.mlp.layers.{{0,2}}.{{weight,bias}}"
)


def find_hints(around: Surroundings, asked: Requests, blocks: int) -> tuple[Hint[Any], ...]:
    """V1 or V2, and metric or relative."""
    return (
        find_variant(around, asked.variant, blocks, V2_TAPS),
        find_max_depth(around, asked.max_depth),
    )


def stage_depths(blocks: int, hints: tuple[Hint[Any], ...], file: str) -> StageDepths:
    """Blocks per stage: V2's published taps, or V1's last four blocks."""
    if blocks < 4:
        raise CheckpointError(
            f"{file} has an encoder of {blocks} blocks; a DPT model taps four of them. "
            "The file is incomplete; download it again."
        )
    variant = hints[0].value
    taps = V2_TAPS[blocks] if variant == "v2" else tuple(range(blocks - 4, blocks))
    return depths_from_taps(taps)


def configure(shapes: Shapes, depths: StageDepths, hints: tuple[Hint[Any], ...]) -> DPTConfig:
    """The whole configuration, from converted shapes and the two hints."""
    variant, max_depth = hints[0].value, hints[1].value
    encoder = measure_vit(shapes, depths)
    stage_channels, features, head_channels = measure_decoder(shapes)
    metric = "" if max_depth is None else " metric"
    return DPTConfig(
        family=f"Depth Anything {variant.upper()}{metric}",
        encoder=encoder,
        stage_channels=stage_channels,
        features=features,
        head_channels=head_channels,
        max_depth=max_depth,
        image=ImageRule(
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            side=518,
            multiple=encoder.patch,
            fit="cover",
            depth_resampling="bilinear",
            depth_corners=variant == "v2",
        ),
    )


def _family(mlp: Rule, mlp_key: str) -> Family:
    return Family(
        name="Depth Anything",
        layout="official",
        signature=(
            "pretrained.cls_token",
            "pretrained.pos_embed",
            "pretrained.blocks.0.ls1.gamma",
            f"pretrained.blocks.0.mlp.{mlp_key}.weight",
            "depth_head.scratch.output_conv2.2.weight",
        ),
        block_pattern=r"pretrained\.blocks\.(\d+)\.",
        rules=(*RULES, mlp),
        hints=find_hints,
        stage_depths=stage_depths,
        configure=configure,
    )


OFFICIAL = _family(GELU_MLP, "fc1")
OFFICIAL_GIANT = _family(SWIGLU_MLP, "w12")
