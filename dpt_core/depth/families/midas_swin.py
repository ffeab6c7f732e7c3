# ruff: noqa: E501  (keys are whole, so that one in an error message can be searched for)
"""MiDaS v3.1 Swin V2 and Swin (arXiv:2307.14460)."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

from torch import Tensor

from ...checkpoint.context import FileContext
from ...checkpoint.family import Family, Plan
from ...checkpoint.hints import Hint, Overrides
from ...checkpoint.rules import Rule, count_blocks
from ...checkpoint.shapes import Shapes, format_shape
from ...errors import CheckpointError
from ..config import DepthHeadConfig, DPTConfig, Four, ImageRule
from ..hints import find_pretrained_window, find_side, find_window
from ..measure import measure_decoder, measure_swin, square_side
from .family import MIDAS_MEAN, MIDAS_STD, block_rows, depth_family
from .tables import MIDAS_DECODER, TRANSFORMERS_MIDAS_DECODER, depth_rules

Version = Literal[1, 2]

ATTENTION_MASK = "pretrained.model.layers.0.blocks.1.attn_mask"

TIMM = """\
pretrained.model.patch_embed.proj.*                                         -> imgencoder.patch_embed.proj.*
pretrained.model.patch_embed.norm.*                                         -> imgencoder.patch_embed.norm.*
pretrained.model.layers.{stage}.blocks.{block}.norm1.*                      -> imgencoder.stages.{stage}.blocks.{block}.norm_attn.*
pretrained.model.layers.{stage}.blocks.{block}.attn.proj.*                  -> imgencoder.stages.{stage}.blocks.{block}.attn.proj.*
pretrained.model.layers.{stage}.blocks.{block}.attn.relative_position_index -> unused
pretrained.model.layers.{stage}.blocks.{block}.attn_mask                    -> unused
pretrained.model.layers.{stage}.blocks.{block}.norm2.*                      -> imgencoder.stages.{stage}.blocks.{block}.norm_mlp.*
pretrained.model.layers.{stage}.blocks.{block}.mlp.fc1.*                    -> imgencoder.stages.{stage}.blocks.{block}.mlp.layers.0.*
pretrained.model.layers.{stage}.blocks.{block}.mlp.fc2.*                    -> imgencoder.stages.{stage}.blocks.{block}.mlp.layers.2.*
pretrained.model.layers.0.downsample.norm.*                                 -> imgencoder.merges.0.norm.*
pretrained.model.layers.1.downsample.norm.*                                 -> imgencoder.merges.1.norm.*
pretrained.model.layers.2.downsample.norm.*                                 -> imgencoder.merges.2.norm.*
pretrained.model.layers.0.downsample.reduction.weight                       -> imgencoder.merges.0.reduction.weight
pretrained.model.layers.1.downsample.reduction.weight                       -> imgencoder.merges.1.reduction.weight
pretrained.model.layers.2.downsample.reduction.weight                       -> imgencoder.merges.2.reduction.weight
# Remnants of the encoder's own training.
pretrained.model.norm.*                                                     -> unused
pretrained.model.head.*                                                     -> unused
"""
TIMM_V1 = """\
pretrained.model.layers.{stage}.blocks.{block}.attn.qkv.*                        -> imgencoder.stages.{stage}.blocks.{block}.attn.qkv.*
pretrained.model.layers.{stage}.blocks.{block}.attn.relative_position_bias_table -> imgencoder.stages.{stage}.blocks.{block}.attn.bias_table
"""
TIMM_V2 = """\
pretrained.model.layers.{stage}.blocks.{block}.attn.qkv.weight                                                          -> imgencoder.stages.{stage}.blocks.{block}.attn.qkv.weight
pretrained.model.layers.{stage}.blocks.{block}.attn.q_bias + pretrained.model.layers.{stage}.blocks.{block}.attn.v_bias -> imgencoder.stages.{stage}.blocks.{block}.attn.qkv.bias  (merge_qv)
pretrained.model.layers.{stage}.blocks.{block}.attn.logit_scale                                                         -> imgencoder.stages.{stage}.blocks.{block}.attn.logit_scale
pretrained.model.layers.{stage}.blocks.{block}.attn.cpb_mlp.0.*                                                         -> imgencoder.stages.{stage}.blocks.{block}.attn.bias_mlp.0.*
pretrained.model.layers.{stage}.blocks.{block}.attn.cpb_mlp.2.weight                                                    -> imgencoder.stages.{stage}.blocks.{block}.attn.bias_mlp.2.weight
pretrained.model.layers.{stage}.blocks.{block}.attn.relative_coords_table                                               -> unused
"""
TRANSFORMERS_V2 = """\
backbone.embeddings.patch_embeddings.projection.*                                                   -> imgencoder.patch_embed.proj.*
backbone.embeddings.norm.*                                                                          -> imgencoder.patch_embed.norm.*
backbone.encoder.layers.{stage}.blocks.{block}.layernorm_before.*                                   -> imgencoder.stages.{stage}.blocks.{block}.norm_attn.*
backbone.encoder.layers.{stage}.blocks.{block}.attention.self.query.weight
+ backbone.encoder.layers.{stage}.blocks.{block}.attention.self.key.weight
+ backbone.encoder.layers.{stage}.blocks.{block}.attention.self.value.weight                        -> imgencoder.stages.{stage}.blocks.{block}.attn.qkv.weight  (merge_qkv)
backbone.encoder.layers.{stage}.blocks.{block}.attention.self.query.bias
+ backbone.encoder.layers.{stage}.blocks.{block}.attention.self.value.bias                          -> imgencoder.stages.{stage}.blocks.{block}.attn.qkv.bias  (merge_qv)
backbone.encoder.layers.{stage}.blocks.{block}.attention.self.logit_scale                           -> imgencoder.stages.{stage}.blocks.{block}.attn.logit_scale
backbone.encoder.layers.{stage}.blocks.{block}.attention.self.continuous_position_bias_mlp.0.*      -> imgencoder.stages.{stage}.blocks.{block}.attn.bias_mlp.0.*
backbone.encoder.layers.{stage}.blocks.{block}.attention.self.continuous_position_bias_mlp.2.weight -> imgencoder.stages.{stage}.blocks.{block}.attn.bias_mlp.2.weight
backbone.encoder.layers.{stage}.blocks.{block}.attention.self.relative_coords_table                 -> unused
backbone.encoder.layers.{stage}.blocks.{block}.attention.self.relative_position_index               -> unused
backbone.encoder.layers.{stage}.blocks.{block}.attention.output.dense.*                             -> imgencoder.stages.{stage}.blocks.{block}.attn.proj.*
backbone.encoder.layers.{stage}.blocks.{block}.layernorm_after.*                                    -> imgencoder.stages.{stage}.blocks.{block}.norm_mlp.*
backbone.encoder.layers.{stage}.blocks.{block}.intermediate.dense.*                                 -> imgencoder.stages.{stage}.blocks.{block}.mlp.layers.0.*
backbone.encoder.layers.{stage}.blocks.{block}.output.dense.*                                       -> imgencoder.stages.{stage}.blocks.{block}.mlp.layers.2.*
backbone.encoder.layers.0.downsample.norm.*                                                         -> imgencoder.merges.0.norm.*
backbone.encoder.layers.1.downsample.norm.*                                                         -> imgencoder.merges.1.norm.*
backbone.encoder.layers.2.downsample.norm.*                                                         -> imgencoder.merges.2.norm.*
backbone.encoder.layers.0.downsample.reduction.weight                                               -> imgencoder.merges.0.reduction.weight
backbone.encoder.layers.1.downsample.reduction.weight                                               -> imgencoder.merges.1.reduction.weight
backbone.encoder.layers.2.downsample.reduction.weight                                               -> imgencoder.merges.2.reduction.weight
"""


def plan(
    version: Version,
    rules: Sequence[Rule],
    tensors: Mapping[str, Tensor],
    context: FileContext,
    overrides: Overrides,
) -> Plan:
    """Blocks by stage, and the windows: from masks or tables if the file has them."""
    a, b, c, d = (
        count_blocks(tensors, rules, "block", context.file, stage=stage) for stage in range(4)
    )
    depths: Four = (a, b, c, d)
    hints: list[Hint[Any]] = list(_window(version, tensors, context, depths))
    if version == 2:
        hints.append(find_pretrained_window(context, overrides, hints[0].value))
    return Plan(block_rows(depths), depths, tuple(hints))


def configure(version: Version, shapes: Shapes, plan: Plan) -> DPTConfig:
    """The complete configuration, from converted shapes and the windows."""
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
            mean=MIDAS_MEAN,
            std=MIDAS_STD,
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
    """Side of the attention window in tokens, and of the trained input in pixels."""
    if version == 1:
        first, last = (
            _table_window(tensors, f"pretrained.model.layers.{stage}.blocks.0", context.file)
            for stage in (0, 3)
        )
        evidence = "the size of the position tables"
        return Hint("window", first, evidence), Hint("side", 32 * last, evidence)
    mask = tensors.get(ATTENTION_MASK)
    if mask is not None:
        shape = tuple(mask.shape)
        count, window = (square_side(n) for n in shape[:2]) if len(shape) == 3 else (None, None)
        if not count or not window or shape[1] != shape[2]:
            raise CheckpointError(
                f"{context.file} has a wrong shape for {ATTENTION_MASK}: "
                f"{format_shape(shape)}, where n²×w²×w² for n² windows of w² tokens was expected. The "
                "file is damaged; download it again."
            )
        evidence = "the size of the attention masks"
        return Hint("window", window, evidence), Hint("side", 4 * count * window, evidence)
    window = find_window(context, is_tiny=sum(depths) <= 12)
    return window, find_side(context, window.value)


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


def _family(
    version: Version, layout: str, signature: tuple[str, ...], rules: Sequence[Rule]
) -> Family:
    return depth_family(
        name="MiDaS Swin V2" if version == 2 else "MiDaS Swin",
        layout=layout,
        signature=signature,
        rules=rules,
        accepts=("pretrained_window",) if version == 2 else (),
        plan=partial(plan, version, rules),
        configure=partial(configure, version),
    )


FAMILIES: tuple[Family, ...] = (
    _family(
        2,
        "official",
        ("pretrained.model.layers.0.blocks.0.attn.logit_scale", "scratch.output_conv.4.weight"),
        depth_rules(TIMM, TIMM_V2, MIDAS_DECODER),
    ),
    _family(
        1,
        "official",
        (
            "pretrained.model.layers.0.blocks.0.attn.relative_position_bias_table",
            "scratch.output_conv.4.weight",
        ),
        depth_rules(TIMM, TIMM_V1, MIDAS_DECODER),
    ),
    _family(
        2,
        "transformers",
        ("backbone.encoder.layers.0.blocks.0.attention.self.logit_scale", "head.head.4.weight"),
        depth_rules(TRANSFORMERS_V2, TRANSFORMERS_MIDAS_DECODER),
    ),
)
