# ruff: noqa: E501  (keys are whole, so that one in an error message can be searched for)
"""Segment Anything v1 (arXiv:2304.02643): its two key layouts, recognised and renamed."""

from collections.abc import Mapping, Sequence
from functools import partial

from torch import Tensor

from ..checkpoint.context import FileContext
from ..checkpoint.family import Family, Plan
from ..checkpoint.hints import Overrides
from ..checkpoint.rules import Operation, Row, Rule, count_blocks, parse_rules
from ..errors import CheckpointError
from .measure import fit_positions, measure
from .network import SAM

OFFICIAL_TABLE = """\
image_encoder.pos_embed                     -> image_encoder.pos_embed
image_encoder.patch_embed.proj.*            -> image_encoder.patch_embed.proj.*
image_encoder.blocks.{index}.norm1.*        -> image_encoder.{place}.norm_attn.*
image_encoder.blocks.{index}.attn.qkv.*     -> image_encoder.{place}.attn.qkv.*
image_encoder.blocks.{index}.attn.rel_pos_h -> image_encoder.{place}.attn.rel_pos_h
image_encoder.blocks.{index}.attn.rel_pos_w -> image_encoder.{place}.attn.rel_pos_w
image_encoder.blocks.{index}.attn.proj.*    -> image_encoder.{place}.attn.proj.*
image_encoder.blocks.{index}.norm2.*        -> image_encoder.{place}.norm_mlp.*
image_encoder.blocks.{index}.mlp.lin1.*     -> image_encoder.{place}.mlp.layers.0.*
image_encoder.blocks.{index}.mlp.lin2.*     -> image_encoder.{place}.mlp.layers.2.*
image_encoder.neck.0.weight                 -> image_encoder.neck.0.weight
image_encoder.neck.1.*                      -> image_encoder.neck.1.*  (per_channel)
image_encoder.neck.2.weight                 -> image_encoder.neck.2.weight
image_encoder.neck.3.*                      -> image_encoder.neck.3.*  (per_channel)

prompt_encoder.pe_layer.positional_encoding_gaussian_matrix -> prompt_encoder.coordinate_encoder.gaussian_matrix
prompt_encoder.point_embeddings.0.weight                    -> prompt_encoder.point_encoder.bg_embed
prompt_encoder.point_embeddings.1.weight                    -> prompt_encoder.point_encoder.fg_embed
prompt_encoder.point_embeddings.2.weight                    -> prompt_encoder.box_encoder.tl_embed
prompt_encoder.point_embeddings.3.weight                    -> prompt_encoder.box_encoder.br_embed
prompt_encoder.not_a_point_embed.weight                     -> prompt_encoder.point_encoder.not_a_point_embed
prompt_encoder.mask_downscaling.0.*                         -> prompt_encoder.mask_encoder.downscaler.0.*
prompt_encoder.mask_downscaling.1.*                         -> prompt_encoder.mask_encoder.downscaler.1.*  (per_channel)
prompt_encoder.mask_downscaling.3.*                         -> prompt_encoder.mask_encoder.downscaler.3.*
prompt_encoder.mask_downscaling.4.*                         -> prompt_encoder.mask_encoder.downscaler.4.*  (per_channel)
prompt_encoder.mask_downscaling.6.*                         -> prompt_encoder.mask_encoder.downscaler.6.*
prompt_encoder.no_mask_embed.weight                         -> prompt_encoder.mask_encoder.no_mask_embed  (as_map)

mask_decoder.iou_token.weight                                                -> mask_decoder.iou_token
mask_decoder.mask_tokens.weight                                              -> mask_decoder.mask_tokens
mask_decoder.transformer.layers.{layer}.self_attn.q_proj.*                   -> mask_decoder.transformer.layers.{layer}.self_attn.q_proj.*
mask_decoder.transformer.layers.{layer}.self_attn.k_proj.*                   -> mask_decoder.transformer.layers.{layer}.self_attn.k_proj.*
mask_decoder.transformer.layers.{layer}.self_attn.v_proj.*                   -> mask_decoder.transformer.layers.{layer}.self_attn.v_proj.*
mask_decoder.transformer.layers.{layer}.self_attn.out_proj.*                 -> mask_decoder.transformer.layers.{layer}.self_attn.out_proj.*
mask_decoder.transformer.layers.{layer}.norm1.*                              -> mask_decoder.transformer.layers.{layer}.norm_self.*
mask_decoder.transformer.layers.{layer}.cross_attn_token_to_image.q_proj.*   -> mask_decoder.transformer.layers.{layer}.token_to_image_attn.q_proj.*
mask_decoder.transformer.layers.{layer}.cross_attn_token_to_image.k_proj.*   -> mask_decoder.transformer.layers.{layer}.token_to_image_attn.k_proj.*
mask_decoder.transformer.layers.{layer}.cross_attn_token_to_image.v_proj.*   -> mask_decoder.transformer.layers.{layer}.token_to_image_attn.v_proj.*
mask_decoder.transformer.layers.{layer}.cross_attn_token_to_image.out_proj.* -> mask_decoder.transformer.layers.{layer}.token_to_image_attn.out_proj.*
mask_decoder.transformer.layers.{layer}.norm2.*                              -> mask_decoder.transformer.layers.{layer}.norm_token_to_image.*
mask_decoder.transformer.layers.{layer}.mlp.lin1.*                           -> mask_decoder.transformer.layers.{layer}.mlp.0.*
mask_decoder.transformer.layers.{layer}.mlp.lin2.*                           -> mask_decoder.transformer.layers.{layer}.mlp.2.*
mask_decoder.transformer.layers.{layer}.norm3.*                              -> mask_decoder.transformer.layers.{layer}.norm_mlp.*
mask_decoder.transformer.layers.{layer}.cross_attn_image_to_token.q_proj.*   -> mask_decoder.transformer.layers.{layer}.image_to_token_attn.q_proj.*
mask_decoder.transformer.layers.{layer}.cross_attn_image_to_token.k_proj.*   -> mask_decoder.transformer.layers.{layer}.image_to_token_attn.k_proj.*
mask_decoder.transformer.layers.{layer}.cross_attn_image_to_token.v_proj.*   -> mask_decoder.transformer.layers.{layer}.image_to_token_attn.v_proj.*
mask_decoder.transformer.layers.{layer}.cross_attn_image_to_token.out_proj.* -> mask_decoder.transformer.layers.{layer}.image_to_token_attn.out_proj.*
mask_decoder.transformer.layers.{layer}.norm4.*                              -> mask_decoder.transformer.layers.{layer}.norm_image_to_token.*
mask_decoder.transformer.final_attn_token_to_image.q_proj.*                  -> mask_decoder.transformer.final_attn.q_proj.*
mask_decoder.transformer.final_attn_token_to_image.k_proj.*                  -> mask_decoder.transformer.final_attn.k_proj.*
mask_decoder.transformer.final_attn_token_to_image.v_proj.*                  -> mask_decoder.transformer.final_attn.v_proj.*
mask_decoder.transformer.final_attn_token_to_image.out_proj.*                -> mask_decoder.transformer.final_attn.out_proj.*
mask_decoder.transformer.norm_final_attn.*                                   -> mask_decoder.transformer.norm_final.*
mask_decoder.output_upscaling.0.*                                            -> mask_decoder.upscaler.0.*
mask_decoder.output_upscaling.1.*                                            -> mask_decoder.upscaler.1.*  (per_channel)
mask_decoder.output_upscaling.3.*                                            -> mask_decoder.upscaler.3.*
mask_decoder.output_hypernetworks_mlps.{mask}.layers.0.*                     -> mask_decoder.hypernetworks.{mask}.0.*
mask_decoder.output_hypernetworks_mlps.{mask}.layers.1.*                     -> mask_decoder.hypernetworks.{mask}.2.*
mask_decoder.output_hypernetworks_mlps.{mask}.layers.2.*                     -> mask_decoder.hypernetworks.{mask}.4.*
mask_decoder.iou_prediction_head.layers.0.*                                  -> mask_decoder.iou_head.0.*
mask_decoder.iou_prediction_head.layers.1.*                                  -> mask_decoder.iou_head.2.*
mask_decoder.iou_prediction_head.layers.2.*                                  -> mask_decoder.iou_head.4.*
"""

TRANSFORMERS_TABLE = """\
vision_encoder.pos_embed                     -> image_encoder.pos_embed
vision_encoder.patch_embed.projection.*      -> image_encoder.patch_embed.proj.*
vision_encoder.layers.{index}.layer_norm1.*  -> image_encoder.{place}.norm_attn.*
vision_encoder.layers.{index}.attn.qkv.*     -> image_encoder.{place}.attn.qkv.*
vision_encoder.layers.{index}.attn.rel_pos_h -> image_encoder.{place}.attn.rel_pos_h
vision_encoder.layers.{index}.attn.rel_pos_w -> image_encoder.{place}.attn.rel_pos_w
vision_encoder.layers.{index}.attn.proj.*    -> image_encoder.{place}.attn.proj.*
vision_encoder.layers.{index}.layer_norm2.*  -> image_encoder.{place}.norm_mlp.*
vision_encoder.layers.{index}.mlp.lin1.*     -> image_encoder.{place}.mlp.layers.0.*
vision_encoder.layers.{index}.mlp.lin2.*     -> image_encoder.{place}.mlp.layers.2.*
vision_encoder.neck.conv1.weight             -> image_encoder.neck.0.weight
vision_encoder.neck.layer_norm1.*            -> image_encoder.neck.1.*  (per_channel)
vision_encoder.neck.conv2.weight             -> image_encoder.neck.2.weight
vision_encoder.neck.layer_norm2.*            -> image_encoder.neck.3.*  (per_channel)

shared_image_embedding.positional_embedding          -> prompt_encoder.coordinate_encoder.gaussian_matrix
# The same once more; files that store shared weights once leave it out.
prompt_encoder.shared_embedding.positional_embedding -> unused
prompt_encoder.point_embed.0.weight                  -> prompt_encoder.point_encoder.bg_embed
prompt_encoder.point_embed.1.weight                  -> prompt_encoder.point_encoder.fg_embed
prompt_encoder.point_embed.2.weight                  -> prompt_encoder.box_encoder.tl_embed
prompt_encoder.point_embed.3.weight                  -> prompt_encoder.box_encoder.br_embed
prompt_encoder.not_a_point_embed.weight              -> prompt_encoder.point_encoder.not_a_point_embed
prompt_encoder.mask_embed.conv1.*                    -> prompt_encoder.mask_encoder.downscaler.0.*
prompt_encoder.mask_embed.layer_norm1.*              -> prompt_encoder.mask_encoder.downscaler.1.*  (per_channel)
prompt_encoder.mask_embed.conv2.*                    -> prompt_encoder.mask_encoder.downscaler.3.*
prompt_encoder.mask_embed.layer_norm2.*              -> prompt_encoder.mask_encoder.downscaler.4.*  (per_channel)
prompt_encoder.mask_embed.conv3.*                    -> prompt_encoder.mask_encoder.downscaler.6.*
prompt_encoder.no_mask_embed.weight                  -> prompt_encoder.mask_encoder.no_mask_embed  (as_map)

mask_decoder.iou_token.weight                                                -> mask_decoder.iou_token
mask_decoder.mask_tokens.weight                                              -> mask_decoder.mask_tokens
mask_decoder.transformer.layers.{layer}.self_attn.q_proj.*                   -> mask_decoder.transformer.layers.{layer}.self_attn.q_proj.*
mask_decoder.transformer.layers.{layer}.self_attn.k_proj.*                   -> mask_decoder.transformer.layers.{layer}.self_attn.k_proj.*
mask_decoder.transformer.layers.{layer}.self_attn.v_proj.*                   -> mask_decoder.transformer.layers.{layer}.self_attn.v_proj.*
mask_decoder.transformer.layers.{layer}.self_attn.out_proj.*                 -> mask_decoder.transformer.layers.{layer}.self_attn.out_proj.*
mask_decoder.transformer.layers.{layer}.layer_norm1.*                        -> mask_decoder.transformer.layers.{layer}.norm_self.*
mask_decoder.transformer.layers.{layer}.cross_attn_token_to_image.q_proj.*   -> mask_decoder.transformer.layers.{layer}.token_to_image_attn.q_proj.*
mask_decoder.transformer.layers.{layer}.cross_attn_token_to_image.k_proj.*   -> mask_decoder.transformer.layers.{layer}.token_to_image_attn.k_proj.*
mask_decoder.transformer.layers.{layer}.cross_attn_token_to_image.v_proj.*   -> mask_decoder.transformer.layers.{layer}.token_to_image_attn.v_proj.*
mask_decoder.transformer.layers.{layer}.cross_attn_token_to_image.out_proj.* -> mask_decoder.transformer.layers.{layer}.token_to_image_attn.out_proj.*
mask_decoder.transformer.layers.{layer}.layer_norm2.*                        -> mask_decoder.transformer.layers.{layer}.norm_token_to_image.*
mask_decoder.transformer.layers.{layer}.mlp.lin1.*                           -> mask_decoder.transformer.layers.{layer}.mlp.0.*
mask_decoder.transformer.layers.{layer}.mlp.lin2.*                           -> mask_decoder.transformer.layers.{layer}.mlp.2.*
mask_decoder.transformer.layers.{layer}.layer_norm3.*                        -> mask_decoder.transformer.layers.{layer}.norm_mlp.*
mask_decoder.transformer.layers.{layer}.cross_attn_image_to_token.q_proj.*   -> mask_decoder.transformer.layers.{layer}.image_to_token_attn.q_proj.*
mask_decoder.transformer.layers.{layer}.cross_attn_image_to_token.k_proj.*   -> mask_decoder.transformer.layers.{layer}.image_to_token_attn.k_proj.*
mask_decoder.transformer.layers.{layer}.cross_attn_image_to_token.v_proj.*   -> mask_decoder.transformer.layers.{layer}.image_to_token_attn.v_proj.*
mask_decoder.transformer.layers.{layer}.cross_attn_image_to_token.out_proj.* -> mask_decoder.transformer.layers.{layer}.image_to_token_attn.out_proj.*
mask_decoder.transformer.layers.{layer}.layer_norm4.*                        -> mask_decoder.transformer.layers.{layer}.norm_image_to_token.*
mask_decoder.transformer.final_attn_token_to_image.q_proj.*                  -> mask_decoder.transformer.final_attn.q_proj.*
mask_decoder.transformer.final_attn_token_to_image.k_proj.*                  -> mask_decoder.transformer.final_attn.k_proj.*
mask_decoder.transformer.final_attn_token_to_image.v_proj.*                  -> mask_decoder.transformer.final_attn.v_proj.*
mask_decoder.transformer.final_attn_token_to_image.out_proj.*                -> mask_decoder.transformer.final_attn.out_proj.*
mask_decoder.transformer.layer_norm_final_attn.*                             -> mask_decoder.transformer.norm_final.*
mask_decoder.upscale_conv1.*                                                 -> mask_decoder.upscaler.0.*
mask_decoder.upscale_layer_norm.*                                            -> mask_decoder.upscaler.1.*  (per_channel)
mask_decoder.upscale_conv2.*                                                 -> mask_decoder.upscaler.3.*
mask_decoder.output_hypernetworks_mlps.{mask}.proj_in.*                      -> mask_decoder.hypernetworks.{mask}.0.*
mask_decoder.output_hypernetworks_mlps.{mask}.layers.0.*                     -> mask_decoder.hypernetworks.{mask}.2.*
mask_decoder.output_hypernetworks_mlps.{mask}.proj_out.*                     -> mask_decoder.hypernetworks.{mask}.4.*
mask_decoder.iou_prediction_head.proj_in.*                                   -> mask_decoder.iou_head.0.*
mask_decoder.iou_prediction_head.layers.0.*                                  -> mask_decoder.iou_head.2.*
mask_decoder.iou_prediction_head.proj_out.*                                  -> mask_decoder.iou_head.4.*
"""


def per_channel(values: Tensor) -> Tensor:
    """C → C×1×1, which broadcasts over maps."""
    return values.reshape(-1, 1, 1)


def as_map(embed: Tensor) -> Tensor:
    """1×C → 1×C×1×1."""
    return embed.reshape(1, -1, 1, 1)


def flat(values: Tensor) -> Tensor:
    """C×1×1 → C."""
    return values.flatten()


def as_row(embed: Tensor) -> Tensor:
    """1×C×1×1 → 1×C."""
    return embed.flatten(1)


OPERATIONS = {"per_channel": Operation(per_channel, flat), "as_map": Operation(as_map, as_row)}


def plan(
    rules: Sequence[Rule],
    table: str,
    tensors: Mapping[str, Tensor],
    context: FileContext,
    _overrides: Overrides,
) -> Plan:
    """Where the encoder's blocks go, and the decoder's layers and mask tokens.

    The encoder ends with a block of global attention; so are all whose table of relative
    positions is as long as that one's, wherever they are. The rest have windows.

    Args:
        rules: the renaming table.
        table: key of a block's relative positions, with ``{index}`` in it.
        tensors, context: as for every `Family`.

    Raises:
        CheckpointError: a block is missing, or global blocks cannot be told from windowed.
    """
    file = context.file
    count = count_blocks(tensors, rules, "index", file)
    tables = [table.format(index=i) for i in range(count)]
    missing = next((name for name in tables if name not in tensors), None)
    if missing is not None:
        raise CheckpointError(
            f"{file} lacks {missing}, the relative positions of a block: it is incomplete or "
            "another model. Use the original checkpoint."
        )
    lengths = [tuple(tensors[name].shape[:1]) for name in tables]
    rows: list[Row] = []
    stage = block = 0
    for index, length in enumerate(lengths):
        if length == lengths[-1]:
            rows.append({"index": index, "place": f"stages.{stage}.global_attn_block"})
            stage, block = stage + 1, 0
        else:
            place = f"stages.{stage}.window_attn_blocks.{block}"
            rows.append({"index": index, "place": place})
            block += 1
    layers = count_blocks(tensors, rules, "layer", file)
    masks = count_blocks(tensors, rules, "mask", file)
    rows += [{"layer": i} for i in range(layers)]
    rows += [{"mask": i} for i in range(masks)]
    return Plan(rows)


def sam_family(layout: str, signature: tuple[str, ...], table: str, positions: str) -> Family:
    """A key layout of Segment Anything; `positions` is the key of a block's relative positions."""
    rules = parse_rules(table, OPERATIONS)
    return Family(
        name="Segment Anything (SAM)",
        layout=layout,
        signature=signature,
        rules=rules,
        plan=partial(plan, rules, positions),
        configure=lambda shapes, _plan: measure(shapes),
        build=SAM,
        adapt=fit_positions,
        # Rounded to half precision it would move every point.
        exact=("prompt_encoder.coordinate_encoder.gaussian_matrix",),
    )


OFFICIAL = sam_family(
    layout="official",
    signature=(
        "image_encoder.pos_embed",
        "image_encoder.blocks.0.attn.rel_pos_h",
        "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
        "mask_decoder.iou_token.weight",
    ),
    table=OFFICIAL_TABLE,
    positions="image_encoder.blocks.{index}.attn.rel_pos_h",
)
TRANSFORMERS = sam_family(
    layout="transformers",
    signature=(
        "vision_encoder.pos_embed",
        "vision_encoder.layers.0.attn.rel_pos_h",
        "shared_image_embedding.positional_embedding",
        "mask_decoder.iou_token.weight",
    ),
    table=TRANSFORMERS_TABLE,
    positions="vision_encoder.layers.{index}.attn.rel_pos_h",
)

FAMILIES: tuple[Family, ...] = (OFFICIAL, TRANSFORMERS)
