"""MiDaS v3.1 Swin V2 and Swin (arXiv:2307.14460)."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from torch import Tensor

from ...checkpoint.context import FileContext
from ...checkpoint.family import Family, Plan
from ...checkpoint.hints import Hint, Overrides
from ...checkpoint.rules import Row, Rule, count_blocks
from ...checkpoint.shapes import format_shape
from ...errors import CheckpointError
from ..config import DepthHeadConfig, DPTConfig, Four, ImageRule
from ..hints import find_pretrained_window, find_window
from ..measure import Shapes, measure_decoder, measure_swin, square_side
from .family import depth_family
from .shared import (
    BLOCK,
    HALF,
    WB,
    merge_qv_bias,
    midas_head,
    official_fusion,
    timm_blocks,
    transformers_attention,
    transformers_blocks,
    transformers_fusion,
)

Version = Literal[1, 2]

_MODEL = "pretrained.model"
_TIMM = f"{_MODEL}.layers.{{stage}}.blocks.{{block}}"
_MERGE = "imgencoder.merges.{0,1,2}"

_OFFICIAL = (
    Rule(f"{_MODEL}.patch_embed.{{proj,norm}}.{WB}", f"imgencoder.patch_embed.{{proj,norm}}.{WB}"),
    *timm_blocks(_TIMM),
    Rule(f"{_MODEL}.layers.{{0,1,2}}.downsample.reduction.weight", f"{_MERGE}.reduction.weight"),
    Rule(f"{_MODEL}.layers.{{0,1,2}}.downsample.norm.{WB}", f"{_MERGE}.norm.{WB}"),
    Rule(f"{_TIMM}.attn_mask", None, optional=True),
    Rule(f"{_TIMM}.attn.relative_position_index", None, optional=True),
    Rule(f"{_MODEL}.{{norm,head}}.{WB}", None, optional=True),
    *official_fusion("scratch"),
    *midas_head("scratch.output_conv"),
)
_V2 = (
    *_OFFICIAL,
    Rule(f"{_TIMM}.attn.logit_scale", f"{BLOCK}.attn.logit_scale"),
    Rule(f"{_TIMM}.attn.cpb_mlp.0.{WB}", f"{BLOCK}.attn.bias_mlp.0.{WB}"),
    Rule(f"{_TIMM}.attn.cpb_mlp.2.weight", f"{BLOCK}.attn.bias_mlp.2.weight"),
    Rule(f"{_TIMM}.attn.qkv.weight", f"{BLOCK}.attn.qkv.weight"),
    Rule((f"{_TIMM}.attn.q_bias", f"{_TIMM}.attn.v_bias"), f"{BLOCK}.attn.qkv.bias", merge_qv_bias),
    Rule(f"{_TIMM}.attn.relative_coords_table", None, optional=True),
)
_V1 = (
    *_OFFICIAL,
    Rule(f"{_TIMM}.attn.relative_position_bias_table", f"{BLOCK}.attn.bias_table"),
    Rule(f"{_TIMM}.attn.qkv.{WB}", f"{BLOCK}.attn.qkv.{WB}"),
)

_EMBED = "backbone.embeddings"
_LAYER = "backbone.encoder.layers.{stage}.blocks.{block}"
_DOWN = "backbone.encoder.layers.{0,1,2}.downsample"
_SELF = f"{_LAYER}.attention.self"
_TRANSFORMERS_V2 = (
    Rule(f"{_EMBED}.patch_embeddings.projection.{WB}", f"imgencoder.patch_embed.proj.{WB}"),
    Rule(f"{_EMBED}.norm.{WB}", f"imgencoder.patch_embed.norm.{WB}"),
    *transformers_blocks(_LAYER),
    *transformers_attention(_SELF, key_bias=False),
    Rule(f"{_SELF}.logit_scale", f"{BLOCK}.attn.logit_scale"),
    Rule(f"{_SELF}.continuous_position_bias_mlp.0.{WB}", f"{BLOCK}.attn.bias_mlp.0.{WB}"),
    Rule(f"{_SELF}.continuous_position_bias_mlp.2.weight", f"{BLOCK}.attn.bias_mlp.2.weight"),
    Rule(f"{_SELF}.{{relative_coords_table,relative_position_index}}", None, optional=True),
    Rule(f"{_DOWN}.reduction.weight", f"{_MERGE}.reduction.weight"),
    Rule(f"{_DOWN}.norm.{WB}", f"{_MERGE}.norm.{WB}"),
    *transformers_fusion(),
    *midas_head("head.head"),
)


def plan(
    version: Version,
    layers: str,
    tensors: Mapping[str, Tensor],
    context: FileContext,
    overrides: Overrides,
) -> Plan:
    """Blocks by stage, and the windows: from masks or tables if the file has them."""
    a, b, c, d = (
        count_blocks(tensors, rf"{re.escape(layers)}\.{stage}\.blocks\.(\d+)\.", context.file)
        for stage in range(4)
    )
    depths: Four = (a, b, c, d)
    rows: list[Row] = [
        {"stage": stage, "block": block} for stage, n in enumerate(depths) for block in range(n)
    ]
    hints: list[Hint[Any]] = list(_window(version, tensors, context, depths))
    if version == 2:
        hints.append(find_pretrained_window(context, overrides, hints[0].value))
    return Plan(rows, depths, tuple(hints))


def configure(version: Version, shapes: Shapes, plan: Plan) -> DPTConfig:
    """The whole configuration, from converted shapes and the windows."""
    pretrained = plan.answer("pretrained_window") if version == 2 else (0, 0, 0, 0)
    encoder = measure_swin(
        shapes,
        plan.stage_depths,
        version,
        window=plan.answer("window"),
        pretrained_window=pretrained,
        side=plan.answer("side"),
    )
    decoder = measure_decoder(shapes, encoder)
    return DPTConfig(
        family="MiDaS v3.1 Swin V2" if version == 2 else "MiDaS v3.1 Swin",
        encoder=encoder,
        reassembly=decoder.reassembly,
        features=decoder.features,
        head=DepthHeadConfig(decoder.head_channels),
        image=ImageRule(
            mean=HALF,
            std=HALF,
            side=encoder.side,
            multiple=encoder.side,
            fit="square",
            depth_resampling="bicubic",
            depth_corners=False,
        ),
    )


def _window(
    version: Version, tensors: Mapping[str, Tensor], context: FileContext, depths: Four
) -> tuple[Hint[int], Hint[int]]:
    """Sides of the attention window in tokens and of the trained input in pixels."""
    if version == 1:
        first, last = (
            _table_window(tensors, f"{_MODEL}.layers.{stage}.blocks.0", context.file)
            for stage in (0, 3)
        )
        evidence = "the size of the position tables"
        return Hint("window", first, evidence), Hint("side", 32 * last, evidence)
    mask = tensors.get(f"{_MODEL}.layers.0.blocks.1.attn_mask")
    if mask is not None:
        shape = tuple(mask.shape)
        count, window = (square_side(n) for n in shape[:2]) if len(shape) == 3 else (None, None)
        if not count or not window or shape[1] != shape[2]:
            raise CheckpointError(
                f"{context.file} has a wrong shape for {_MODEL}.layers.0.blocks.1.attn_mask: "
                f"{format_shape(shape)}, where a square of windows and twice a square of tokens "
                "was expected. The file is damaged; download it again."
            )
        evidence = "the size of the attention masks"
        return Hint("window", window, evidence), Hint("side", 4 * count * window, evidence)
    window = find_window(context, is_tiny=sum(depths) <= 12)
    return window, Hint("side", 16 * window.value, "16 windows, as all published models")


def _table_window(tensors: Mapping[str, Tensor], block: str, file: str) -> int:
    """The window whose offsets fill a block's position table."""
    key = f"{block}.attn.relative_position_bias_table"
    table = tensors.get(key)
    offsets = square_side(table.shape[0]) if table is not None and table.ndim == 2 else None
    if offsets is None or offsets % 2 == 0:
        raise CheckpointError(
            f"{file} has no usable {key}: (2·window − 1)² rows were expected. The file is "
            "damaged; download it again."
        )
    return (offsets + 1) // 2


FAMILIES: tuple[Family, ...] = (
    depth_family(
        name="MiDaS Swin V2",
        layout="official",
        signature=(
            f"{_MODEL}.layers.0.blocks.0.attn.logit_scale",
            "scratch.output_conv.4.weight",
        ),
        rules=_V2,
        accepts=("pretrained_window",),
        plan=partial(plan, 2, f"{_MODEL}.layers"),
        configure=partial(configure, 2),
    ),
    depth_family(
        name="MiDaS Swin",
        layout="official",
        signature=(
            f"{_MODEL}.layers.0.blocks.0.attn.relative_position_bias_table",
            "scratch.output_conv.4.weight",
        ),
        rules=_V1,
        accepts=(),
        plan=partial(plan, 1, f"{_MODEL}.layers"),
        configure=partial(configure, 1),
    ),
    depth_family(
        name="MiDaS Swin V2",
        layout="transformers",
        signature=(
            "backbone.encoder.layers.0.blocks.0.attention.self.logit_scale",
            "head.head.4.weight",
        ),
        rules=_TRANSFORMERS_V2,
        accepts=("pretrained_window",),
        plan=partial(plan, 2, "backbone.encoder.layers"),
        configure=partial(configure, 2),
    ),
)
