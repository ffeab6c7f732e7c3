"""One table per key layout: how it is recognised and renamed."""

from collections.abc import Mapping, Sequence
from functools import partial

from torch import Tensor

from ..checkpoint.context import FileContext
from ..checkpoint.family import Family, Plan
from ..checkpoint.hints import Overrides
from ..checkpoint.rules import Row, Rule, count_blocks
from ..errors import CheckpointError
from .measure import fit_positions, measure
from .network import SAM

WB = "{weight,bias}"
NAME = "Segment Anything (SAM)"

BLOCK = "image_encoder.{place}"
PROMPT = "prompt_encoder"
EMBEDS = (
    f"{PROMPT}.{{point_encoder.bg_embed,point_encoder.fg_embed"
    ",box_encoder.tl_embed,box_encoder.br_embed}"
)
DOWNSCALER = f"{PROMPT}.mask_encoder.downscaler"
GAUSSIAN = f"{PROMPT}.coordinate_encoder.gaussian_matrix"
LAYER = "mask_decoder.transformer.layers.{layer}"
QKVO = "{q_proj,k_proj,v_proj,out_proj}"


def per_channel(values: Tensor) -> Tensor:
    """C → C×1×1, which broadcasts over maps."""
    return values.reshape(-1, 1, 1)


def as_map(embed: Tensor) -> Tensor:
    """1×C → 1×C×1×1."""
    return embed.reshape(1, -1, 1, 1)


def plan(
    blocks: str, tensors: Mapping[str, Tensor], context: FileContext, _overrides: Overrides
) -> Plan:
    """Where the encoder's blocks go, and the decoder's layers and mask tokens.

    The encoder ends with a block of global attention; so are all whose table of relative
    positions is as long as that one's, wherever they are. The rest have windows.

    Raises:
        CheckpointError: a block is missing, or global blocks cannot be told from windowed.
    """
    file = context.file
    pattern = blocks.replace(".", r"\.").format(index=r"(\d+)") + r"\."
    count = count_blocks(tensors, pattern, file)
    tables = [f"{blocks.format(index=i)}.attn.rel_pos_h" for i in range(count)]
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
    layers = count_blocks(tensors, r"mask_decoder\.transformer\.layers\.(\d+)\.", file)
    masks = count_blocks(tensors, r"mask_decoder\.output_hypernetworks_mlps\.(\d+)\.", file)
    rows += [{"layer": i} for i in range(layers)]
    rows += [{"mask": i} for i in range(masks)]
    return Plan(rows)


def encoder_blocks(source: str, norm: str) -> tuple[Rule, ...]:
    """A block of the image encoder, whose norms are called `norm` 1 and 2."""
    return (
        Rule(f"{source}.{{{norm}1,{norm}2}}.{WB}", f"{BLOCK}.{{norm_attn,norm_mlp}}.{WB}"),
        Rule(f"{source}.attn.{{qkv,proj}}.{WB}", f"{BLOCK}.attn.{{qkv,proj}}.{WB}"),
        Rule(
            f"{source}.attn.{{rel_pos_h,rel_pos_w}}",
            f"{BLOCK}.attn.{{rel_pos_h,rel_pos_w}}",
        ),
        Rule(f"{source}.mlp.{{lin1,lin2}}.{WB}", f"{BLOCK}.mlp.layers.{{0,2}}.{WB}"),
    )


def mask_encoder(convolutions: str, norms: str) -> tuple[Rule, ...]:
    """The mask prompt's three convolutions and two norms."""
    return (
        Rule(f"{convolutions}.{WB}", f"{DOWNSCALER}.{{0,3,6}}.{WB}"),
        Rule(f"{norms}.{WB}", f"{DOWNSCALER}.{{1,4}}.{WB}", per_channel),
        Rule(f"{PROMPT}.no_mask_embed.weight", f"{PROMPT}.mask_encoder.no_mask_embed", as_map),
    )


def mask_decoder(
    norm: str, final_norm: str, upscalers: str, upscaler_norm: str, mlp: tuple[str, str, str]
) -> tuple[Rule, ...]:
    """The mask decoder; `mlp` names the three linear layers of its small networks."""
    transformer = "mask_decoder.transformer"
    layers = "{" + ",".join(mlp) + "}"
    return (
        Rule("mask_decoder.{iou_token,mask_tokens}.weight", "mask_decoder.{iou_token,mask_tokens}"),
        Rule(f"{LAYER}.self_attn.{QKVO}.{WB}", f"{LAYER}.self_attn.{QKVO}.{WB}"),
        Rule(
            f"{LAYER}.{{cross_attn_token_to_image,cross_attn_image_to_token}}.{QKVO}.{WB}",
            f"{LAYER}.{{token_to_image_attn,image_to_token_attn}}.{QKVO}.{WB}",
        ),
        Rule(
            f"{LAYER}.{{{norm}1,{norm}2,{norm}3,{norm}4}}.{WB}",
            f"{LAYER}.{{norm_self,norm_token_to_image,norm_mlp,norm_image_to_token}}.{WB}",
        ),
        Rule(f"{LAYER}.mlp.{{lin1,lin2}}.{WB}", f"{LAYER}.mlp.{{0,2}}.{WB}"),
        Rule(
            f"{transformer}.final_attn_token_to_image.{QKVO}.{WB}",
            f"{transformer}.final_attn.{QKVO}.{WB}",
        ),
        Rule(f"{transformer}.{final_norm}.{WB}", f"{transformer}.norm_final.{WB}"),
        Rule(f"mask_decoder.{upscalers}.{WB}", f"mask_decoder.upscaler.{{0,3}}.{WB}"),
        Rule(f"mask_decoder.{upscaler_norm}.{WB}", f"mask_decoder.upscaler.1.{WB}", per_channel),
        Rule(
            f"mask_decoder.output_hypernetworks_mlps.{{mask}}.{layers}.{WB}",
            f"mask_decoder.hypernetworks.{{mask}}.{{0,2,4}}.{WB}",
        ),
        Rule(
            f"mask_decoder.iou_prediction_head.{layers}.{WB}",
            f"mask_decoder.iou_head.{{0,2,4}}.{WB}",
        ),
    )


def sam_family(
    layout: str, signature: tuple[str, ...], blocks: str, rules: Sequence[Rule]
) -> Family:
    """A key layout of Segment Anything; `blocks` names the encoder's blocks, ``{index}`` in it."""
    return Family(
        name=NAME,
        layout=layout,
        signature=signature,
        rules=rules,
        plan=partial(plan, blocks),
        configure=lambda shapes, _plan: measure(shapes),
        build=SAM,
        adapt=fit_positions,
        exact=(GAUSSIAN,),  # rounded to half precision it would move every point
    )


OFFICIAL = sam_family(
    layout="official",
    signature=(
        "image_encoder.pos_embed",
        "image_encoder.blocks.0.attn.rel_pos_h",
        "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
        "mask_decoder.iou_token.weight",
    ),
    blocks="image_encoder.blocks.{index}",
    rules=(
        Rule("image_encoder.pos_embed", "image_encoder.pos_embed"),
        Rule(f"image_encoder.patch_embed.proj.{WB}", f"image_encoder.patch_embed.proj.{WB}"),
        *encoder_blocks("image_encoder.blocks.{index}", "norm"),
        Rule("image_encoder.neck.{0,2}.weight", "image_encoder.neck.{0,2}.weight"),
        Rule(f"image_encoder.neck.{{1,3}}.{WB}", f"image_encoder.neck.{{1,3}}.{WB}", per_channel),
        Rule("prompt_encoder.pe_layer.positional_encoding_gaussian_matrix", GAUSSIAN),
        Rule("prompt_encoder.point_embeddings.{0,1,2,3}.weight", EMBEDS),
        Rule(
            "prompt_encoder.not_a_point_embed.weight", f"{PROMPT}.point_encoder.not_a_point_embed"
        ),
        *mask_encoder(
            "prompt_encoder.mask_downscaling.{0,3,6}", "prompt_encoder.mask_downscaling.{1,4}"
        ),
        *mask_decoder(
            norm="norm",
            final_norm="norm_final_attn",
            upscalers="output_upscaling.{0,3}",
            upscaler_norm="output_upscaling.1",
            mlp=("layers.0", "layers.1", "layers.2"),
        ),
    ),
)

TRANSFORMERS = sam_family(
    layout="transformers",
    signature=(
        "vision_encoder.pos_embed",
        "vision_encoder.layers.0.attn.rel_pos_h",
        "shared_image_embedding.positional_embedding",
        "mask_decoder.iou_token.weight",
    ),
    blocks="vision_encoder.layers.{index}",
    rules=(
        Rule("vision_encoder.pos_embed", "image_encoder.pos_embed"),
        Rule(f"vision_encoder.patch_embed.projection.{WB}", f"image_encoder.patch_embed.proj.{WB}"),
        *encoder_blocks("vision_encoder.layers.{index}", "layer_norm"),
        Rule("vision_encoder.neck.{conv1,conv2}.weight", "image_encoder.neck.{0,2}.weight"),
        Rule(
            f"vision_encoder.neck.{{layer_norm1,layer_norm2}}.{WB}",
            f"image_encoder.neck.{{1,3}}.{WB}",
            per_channel,
        ),
        Rule("shared_image_embedding.positional_embedding", GAUSSIAN),
        # The same once more; files that store shared weights once leave it out.
        Rule("prompt_encoder.shared_embedding.positional_embedding", None, optional=True),
        Rule("prompt_encoder.point_embed.{0,1,2,3}.weight", EMBEDS),
        Rule(
            "prompt_encoder.not_a_point_embed.weight", f"{PROMPT}.point_encoder.not_a_point_embed"
        ),
        *mask_encoder(
            "prompt_encoder.mask_embed.{conv1,conv2,conv3}",
            "prompt_encoder.mask_embed.{layer_norm1,layer_norm2}",
        ),
        *mask_decoder(
            norm="layer_norm",
            final_norm="layer_norm_final_attn",
            upscalers="{upscale_conv1,upscale_conv2}",
            upscaler_norm="upscale_layer_norm",
            mlp=("proj_in", "layers.0", "proj_out"),
        ),
    ),
)

FAMILIES: tuple[Family, ...] = (OFFICIAL, TRANSFORMERS)
