"""Read a model's dimensions off its converted weights, once for both key layouts."""

import torch.nn.functional as F
from torch import Tensor

from ..checkpoint.shapes import Shapes
from .config import ImageEncoderConfig, MaskDecoderConfig, SAMConfig

DECODER_HEADS = 8  # in every published model; no weight tells it


def measure(shapes: Shapes) -> SAMConfig:
    """The whole configuration.

    Raises:
        CheckpointError: a weight is missing or has a shape that cannot be right.
    """
    width, *_ = shapes.of("image_encoder.neck.0.weight", 4)
    first, *_ = shapes.of("prompt_encoder.mask_encoder.downscaler.0.weight", 4)
    second, *_ = shapes.of("prompt_encoder.mask_encoder.downscaler.3.weight", 4)
    return SAMConfig(
        encoder=measure_encoder(shapes),
        width=width,
        mask_channels=(first, second),
        decoder=measure_decoder(shapes),
    )


def measure_encoder(shapes: Shapes) -> ImageEncoderConfig:
    """The image encoder, from ``image_encoder.*``."""
    patch_embed = "image_encoder.patch_embed.proj.weight"
    width, channels, patch, other_side = shapes.of(patch_embed, 4)
    if channels != 3 or patch != other_side:
        raise shapes.wrong(patch_embed, "square patches of RGB images were expected")
    _, grid, columns, _ = shapes.of("image_encoder.pos_embed", 4)
    if grid != columns:
        raise shapes.wrong("image_encoder.pos_embed", "a square map was expected")
    stages = _stages(shapes)
    last = f"image_encoder.stages.{len(stages) - 1}.global_attn_block"
    length, head_width = shapes.of(f"{last}.attn.rel_pos_h", 2)
    if width % head_width:
        raise shapes.wrong(
            f"{last}.attn.rel_pos_h",
            f"the second number, a head's width, should divide the encoder's {width}",
        )
    if not any(stages) and length != 2 * grid - 1:
        raise shapes.wrong(
            f"{last}.attn.rel_pos_h",
            f"{2 * grid - 1} rows were expected, since all blocks have as many and it cannot "
            "be told which ones have windows",
        )
    return ImageEncoderConfig(
        width=width,
        heads=width // head_width,
        mlp_hidden=shapes.of(f"{last}.mlp.layers.2.weight", 2)[1],
        patch=patch,
        grid=grid,
        stages=stages,
        window=_window(shapes, stages),
    )


def measure_decoder(shapes: Shapes) -> MaskDecoderConfig:
    """The mask decoder, from ``mask_decoder.*``."""
    transformer = "mask_decoder.transformer"
    projection = f"{transformer}.final_attn.q_proj.weight"
    cross_width, width = shapes.of(projection, 2)
    if cross_width % DECODER_HEADS or width % DECODER_HEADS:
        raise shapes.wrong(projection, f"multiples of {DECODER_HEADS} heads were expected")
    return MaskDecoderConfig(
        layers=_count(shapes, f"{transformer}.layers", "self_attn.q_proj.weight"),
        heads=DECODER_HEADS,
        cross_width=cross_width,
        mlp_hidden=shapes.of(f"{transformer}.layers.0.mlp.0.weight", 2)[0],
        mask_tokens=shapes.of("mask_decoder.mask_tokens", 2)[0],
        upscaled=(
            shapes.of("mask_decoder.upscaler.0.weight", 4)[1],
            shapes.of("mask_decoder.upscaler.3.weight", 4)[1],
        ),
        mask_hidden=shapes.of("mask_decoder.hypernetworks.0.0.weight", 2)[0],
        iou_hidden=shapes.of("mask_decoder.iou_head.0.weight", 2)[0],
    )


def fit_positions(tensors: dict[str, Tensor], shapes: Shapes, config: SAMConfig) -> None:
    """Resample the global blocks' relative positions to the grid, where their size differs.

    Models that were fine-tuned at another image size need it. It is linear, in float32, and
    done once here instead of at every use.
    """
    encoder = config.encoder
    length = 2 * encoder.grid - 1
    for stage in range(len(encoder.stages)):
        for axis in ("h", "w"):
            place = f"stages.{stage}.global_attn_block.attn.rel_pos_{axis}"
            name = f"image_encoder.{place}"
            table = tensors[name]
            rows, _ = shapes.of(name, 2)
            if rows % 2 == 0:
                raise shapes.wrong(name, "2·side − 1 rows were expected")
            if rows != length:
                resampled = F.interpolate(table.T.unsqueeze(0).float(), size=length, mode="linear")
                tensors[name] = resampled[0].T.to(table.dtype).contiguous()


def _stages(shapes: Shapes) -> tuple[int, ...]:
    """Windowed blocks in each stage."""
    count = _count(shapes, "image_encoder.stages", "global_attn_block.attn.rel_pos_h")
    return tuple(
        _count(shapes, f"image_encoder.stages.{i}.window_attn_blocks", "attn.rel_pos_h")
        for i in range(count)
    )


def _window(shapes: Shapes, stages: tuple[int, ...]) -> int:
    """The side of the windows, or 0 if no block has any."""
    stage = next((i for i, depth in enumerate(stages) if depth), None)
    if stage is None:
        return 0
    name = f"image_encoder.stages.{stage}.window_attn_blocks.0.attn.rel_pos_h"
    length, _ = shapes.of(name, 2)
    if length % 2 == 0:
        raise shapes.wrong(name, "an odd number of rows, 2·window − 1, was expected")
    return (length + 1) // 2


def _count(shapes: Shapes, name: str, weight: str) -> int:
    """How many of ``name.0.weight``, ``name.1.weight`` … there are."""
    return next(i for i in range(10**6) if f"{name}.{i}.{weight}" not in shapes)
