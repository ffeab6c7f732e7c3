"""Measure a model's dimensions on its converted weights, for all key layouts alike."""

import math
from typing import Literal, NamedTuple

from ..checkpoint.shapes import Shapes
from ..errors import CheckpointError
from .config import EncoderConfig, Four, HybridConfig, ReassembleConfig, SwinConfig, ViTConfig
from .encoders.hybrid import GROUPS
from .reassemble import SCALES

HEAD_WIDTH = 64  # channels of an attention head in every ViT but BEiT


class Decoder(NamedTuple):
    """The dimensions of a decoder."""

    reassembly: tuple[ReassembleConfig, ReassembleConfig, ReassembleConfig, ReassembleConfig]
    features: int
    head_channels: tuple[int, int]


def measure_vit(
    shapes: Shapes,
    stage_depths: Four,
    positions: Literal["dinov2", "bilinear", "relative"],
    final_norm_eps: float | None,
) -> ViTConfig:
    """Measure a DINOv2, BEiT or MiDaS ViT encoder, from ``imgencoder.*``."""
    first = next(i for i, depth in enumerate(stage_depths) if depth)
    block = f"imgencoder.stages.{first}.blocks.0"
    expanded, _ = shapes.of(f"{block}.mlp.layers.0.weight", 2)
    width, hidden = shapes.of(f"{block}.mlp.layers.2.weight", 2)
    if positions == "relative":
        table = f"{block}.relative_bias.table"
        rows, heads = shapes.of(table, 2)
        offsets = square_side(rows - 3)
        if offsets is None or offsets % 2 == 0:
            raise shapes.wrong(table, "(2·grid − 1)² + 3 rows were expected")
        grid = ((offsets + 1) // 2, (offsets + 1) // 2)
    else:
        _, _, *grid = shapes.of("imgencoder.posenc.base_patch_embedding", 4)
        heads = width // HEAD_WIDTH
    if heads == 0 or width % heads or (positions != "relative" and width % HEAD_WIDTH):
        raise shapes.wrong(
            f"{block}.mlp.layers.2.weight",
            "the first number, the encoder's width, should be a multiple of "
            + (
                f"its number of attention heads, {heads}"
                if positions == "relative"
                else f"{HEAD_WIDTH}, since no weight tells the number of attention heads"
            ),
        )
    return ViTConfig(
        width=width,
        heads=heads,
        mlp_hidden=hidden,
        gated_mlp=expanded == 2 * hidden,
        patch=_patch(shapes),
        stage_depths=stage_depths,
        grid=(grid[0], grid[1]),
        positions=positions,
        layer_scale=f"{block}.scale_attn" in shapes,
        norm_eps=1e-6,
        final_norm_eps=final_norm_eps,
    )


def measure_hybrid(shapes: Shapes, vit: ViTConfig) -> HybridConfig:
    """Measure the ResNetV2 below a transformer, from ``imgencoder.patch_embed.backbone.*``."""
    backbone = "imgencoder.patch_embed.backbone"
    widths, layers = [], []
    stem = f"{backbone}.stem.0.conv.weight"
    if shapes.of(stem, 4)[0] % GROUPS:
        raise shapes.wrong(stem, f"a multiple of {GROUPS} channels was expected")
    for stage in range(3):
        name = f"{backbone}.stages.{stage}"
        last = f"{name}.0.conv3.conv.weight"
        widths.append(shapes.of(last, 4)[0])
        if widths[-1] % (4 * GROUPS):  # a bottleneck has a quarter of the channels inside
            raise shapes.wrong(last, f"a multiple of {4 * GROUPS} channels was expected")
        layers.append(
            next(i for i in range(10**6) if f"{name}.{i}.conv1.conv.weight" not in shapes)
        )
    return HybridConfig(
        vit=vit,
        stem=shapes.of(stem, 4)[0],
        widths=(widths[0], widths[1], widths[2]),
        layers=(layers[0], layers[1], layers[2]),
    )


def measure_swin(
    shapes: Shapes,
    stage_depths: Four,
    version: Literal[1, 2],
    window: int,
    pretrained_window: Four,
    side: int,
) -> SwinConfig:
    """Measure a Swin or Swin V2 encoder, from ``imgencoder.*``."""
    width = shapes.of("imgencoder.patch_embed.proj.weight", 4)[0]
    patch = _patch(shapes)
    heads, hidden = [], []
    for stage in range(4):
        block = f"imgencoder.stages.{stage}.blocks.0"
        hidden.append(shapes.of(f"{block}.mlp.layers.2.weight", 2)[1])
        if version == 1:
            name = f"{block}.attn.bias_table"
            heads.append(shapes.of(name, 2)[1])
        else:
            name = f"{block}.attn.logit_scale"
            heads.append(shapes.of(name, 3)[0])
        if (width << stage) % heads[-1]:
            raise shapes.wrong(
                name, f"a number that divides the width {width << stage} was expected"
            )
        _check_windows(shapes.file, side, patch << stage, window)
    first = "imgencoder.stages.0.blocks.0.attn.bias_mlp.0.weight"
    return SwinConfig(
        version=version,
        width=width,
        heads=(heads[0], heads[1], heads[2], heads[3]),
        mlp_hidden=(hidden[0], hidden[1], hidden[2], hidden[3]),
        bias_hidden=shapes.of(first, 2)[0] if version == 2 else 0,
        patch=patch,
        stage_depths=stage_depths,
        window=window,
        pretrained_window=pretrained_window,
        side=side,
        norm_eps=1e-5,
    )


def measure_decoder(shapes: Shapes, encoder: EncoderConfig) -> Decoder:
    """Measure reassembly, fusion and head, from ``reassemble.*``, ``fusion.*`` and ``head.*``."""
    features, *_ = shapes.of("reassemble.spatial_upx4.fuse_proj.weight", 4)
    a, b, c, d = (
        ReassembleConfig(
            width=width,
            channels=shapes.of(f"reassemble.{scale}.fuse_proj.weight", 4)[1],
            readout=f"reassemble.{scale}.readout_proj.1.weight" in shapes,
            projected=f"reassemble.{scale}.resample.0.weight" in shapes,
            resampled=f"reassemble.{scale}.resample.1.weight" in shapes,
        )
        for scale, width in zip(SCALES, encoder.stage_widths, strict=True)
    )
    for scale, stage in zip(SCALES, (a, b, c, d), strict=True):
        if not stage.projected and stage.channels != stage.width:
            raise shapes.wrong(
                f"reassemble.{scale}.fuse_proj.weight",
                f"{stage.width} input channels, the width of the encoder's stage, were expected",
            )
    first = shapes.of("head.spatial_upsampler.0.weight", 4)[0]
    second = shapes.of("head.proj_1ch.0.weight", 4)[0]
    return Decoder((a, b, c, d), features, (first, second))


def square_side(count: int) -> int | None:
    """The side of a square of `count` cells, or None if `count` is not a square number."""
    side = math.isqrt(count) if count > 0 else 0
    return side if side > 0 and side * side == count else None


def _check_windows(file: str, side: int, token: int, window: int) -> None:
    """Check that tokens of `token` pixels fill the input, and whole windows the tokens."""
    tokens = side // token
    if tokens < 1 or side % token or tokens % min(window, tokens):
        raise CheckpointError(
            f"{file} has an input {side} pixels wide and attention windows of {window} tokens, "
            f"which do not fit together when a token is {token} pixels wide. Its attention masks "
            "or position tables are damaged; download it again."
        )


def _patch(shapes: Shapes) -> int:
    """Side of a patch; the hybrid's 1×1 projection comes after a ResNet of stride 16."""
    if "imgencoder.patch_embed.backbone.stem.0.conv.weight" in shapes:
        return 16
    name = "imgencoder.patch_embed.proj.weight"
    _, channels, rows, columns = shapes.of(name, 4)
    if channels != 3 or rows != columns:
        raise shapes.wrong(name, "square patches of RGB images were expected")
    return rows
