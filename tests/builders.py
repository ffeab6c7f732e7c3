"""Checkpoints for the tests, in the layouts of the published files, with seeded random weights."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from dpt_core.checkpoint.family import Family
from dpt_core.checkpoint.rules import Row, expand, revert
from dpt_core.depth.config import (
    DepthHeadConfig,
    DPTConfig,
    EncoderConfig,
    HybridConfig,
    ImageRule,
    ReassembleConfig,
    SwinConfig,
    ViTConfig,
)
from dpt_core.depth.families.family import MIDAS_MEAN, MIDAS_STD, block_rows
from dpt_core.depth.network import DPT

FIXTURES = Path(__file__).parent / "fixtures"
WB = ("weight", "bias")
Shape = tuple[int, ...]


def depth_anything_shapes(
    blocks: int = 12,
    width: int = 64,
    channels: tuple[int, int, int, int] = (6, 10, 14, 18),
    features: int = 10,
    grid: int = 5,
    hidden: int = 128,
    gated: bool = False,
) -> dict[str, Shape]:
    """Keys and shapes of a Depth Anything checkpoint in the official layout."""
    shapes: dict[str, Shape] = {
        "pretrained.cls_token": (1, 1, width),
        "pretrained.pos_embed": (1, 1 + grid * grid, width),
        "pretrained.mask_token": (1, width),
        "pretrained.patch_embed.proj.weight": (width, 3, 14, 14),
        "pretrained.patch_embed.proj.bias": (width,),
        "pretrained.norm.weight": (width,),
        "pretrained.norm.bias": (width,),
    }
    for i in range(blocks):
        block = f"pretrained.blocks.{i}"
        first, second = ("w12", "w3") if gated else ("fc1", "fc2")
        expanded = 2 * hidden if gated else hidden
        shapes |= {f"{block}.{norm}.{p}": (width,) for norm in ("norm1", "norm2") for p in WB}
        shapes |= {f"{block}.{scale}.gamma": (width,) for scale in ("ls1", "ls2")}
        shapes |= _layer(f"{block}.attn.qkv", 3 * width, width)
        shapes |= _layer(f"{block}.attn.proj", width, width)
        shapes |= _layer(f"{block}.mlp.{first}", expanded, width)
        shapes |= _layer(f"{block}.mlp.{second}", width, hidden)
    for i, count in enumerate(channels):
        shapes |= _layer(f"depth_head.projects.{i}", count, width, 1, 1)
        shapes[f"depth_head.scratch.layer{i + 1}_rn.weight"] = (features, count, 3, 3)
        refine = f"depth_head.scratch.refinenet{i + 1}"
        shapes |= _layer(f"{refine}.out_conv", features, features, 1, 1)
        for unit in (1, 2):
            for conv in (1, 2):
                name = f"{refine}.resConfUnit{unit}.conv{conv}"
                shapes |= _layer(name, features, features, 3, 3)
    for i, kernel in ((0, 4), (1, 2), (3, 3)):
        shapes |= _layer(f"depth_head.resize_layers.{i}", channels[i], channels[i], kernel, kernel)
    half = features // 2
    shapes |= _layer("depth_head.scratch.output_conv1", half, features, 3, 3)
    shapes |= _layer("depth_head.scratch.output_conv2.0", 32, half, 3, 3)
    shapes |= _layer("depth_head.scratch.output_conv2.2", 1, 32, 1, 1)
    return shapes


def _layer(name: str, *shape: int) -> dict[str, Shape]:
    bias = shape[1] if name.endswith(("resize_layers.0", "resize_layers.1")) else shape[0]
    return {f"{name}.weight": shape, f"{name}.bias": (bias,)}


def random_weights(shapes: dict[str, Shape], seed: int = 0) -> dict[str, Tensor]:
    """Weights that keep every map lively: scaled by fan-in, norms and scales around 1."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in shapes.items():
        noise = torch.randn(shape, generator=generator)
        if len(shape) == 1:
            is_scale = name.endswith(("gamma", "weight"))
            state[name] = 0.75 + 0.1 * noise if is_scale else 0.1 * noise
        else:
            state[name] = noise / math.sqrt(math.prod(shape[1:]))
    if "depth_head.scratch.output_conv2.2.bias" in state:
        state["depth_head.scratch.output_conv2.2.bias"] += 1.0  # most depths above the ReLU
    return state


TINY_VIT = ViTConfig(
    width=64,
    heads=1,
    mlp_hidden=32,
    gated_mlp=False,
    patch=16,
    stage_depths=(1, 1, 1, 1),
    grid=(3, 3),
    positions="bilinear",
    layer_scale=False,
    norm_eps=1e-6,
    final_norm_eps=None,
)
TINY_DINOV2 = replace(TINY_VIT, patch=14, positions="dinov2", layer_scale=True, final_norm_eps=1e-6)


def tiny_config(family: Family) -> DPTConfig:
    """The smallest network of a family; what only the image side needs is left out."""
    resnet = {"stem": 32, "widths": (128, 128, 128), "layers": (1, 1, 1)}
    # Without attention masks a window of 16 tokens is assumed, and 16 windows.
    window, side = (2, 64) if family.layout == "official" else (16, 256)
    encoders: dict[str, EncoderConfig] = {
        "Depth Anything": TINY_DINOV2,
        "Depth Anything giant": replace(TINY_DINOV2, gated_mlp=True),
        "Depth Anything 3 mono and metric": TINY_DINOV2,
        "MiDaS BEiT": replace(TINY_VIT, positions="relative", layer_scale=True),
        "MiDaS ViT": TINY_VIT,
        "MiDaS hybrid": HybridConfig(replace(TINY_VIT, stage_depths=(0, 0, 3, 1)), **resnet),
        "MiDaS Swin V2": tiny_swin(2, window, side),
        "MiDaS Swin": tiny_swin(1, window, side),
    }
    encoder = encoders[family.name]
    stages = [(64, count, "MiDaS" in family.name, True) for count in (4, 6, 8, 10)]
    if isinstance(encoder, HybridConfig):
        stages[:2] = [(128, 128, False, False)] * 2
    elif isinstance(encoder, SwinConfig):
        stages = [(8 << i, 8 << i, False, False) for i in range(4)]
    a, b, c, d = (
        ReassembleConfig(*stage, resampled=stage[3] and i != 2) for i, stage in enumerate(stages)
    )
    return DPTConfig(
        family=family.name,
        encoder=encoder,
        reassembly=(a, b, c, d),
        features=8,
        head=DepthHeadConfig((4, 6), sky="Depth Anything 3" in family.name),
        image=ImageRule(MIDAS_MEAN, MIDAS_STD, 42, 14, "cover", "bilinear", True),
    )


def tiny_swin(version: Literal[1, 2], window: int, side: int) -> SwinConfig:
    """The smallest Swin encoder of a version."""
    return SwinConfig(
        version=version,
        width=8,
        heads=(1, 2, 2, 4),
        mlp_hidden=(8, 12, 16, 20),
        bias_hidden=6,
        patch=4,
        stage_depths=(2, 1, 1, 1),
        window=window,
        pretrained_window=(0, 0, 0, 0),
        side=side,
        norm_eps=1e-5,
    )


def tiny_checkpoint(family: Family) -> dict[str, Tensor]:
    """A checkpoint in a depth family's layout: its renaming table, used from right to left."""
    config = tiny_config(family)
    with torch.device("meta"):
        shapes = {name: tuple(t.shape) for name, t in DPT(config).state_dict().items()}
    weights = random_weights(shapes)
    weights["head.proj_1ch.2.bias"] += 6.0  # most depths above the ReLU
    rows: list[Row] = block_rows(config.encoder.stage_depths)
    rows += [{"res_stage": stage, "res_block": 0} for stage in range(3)]
    state = revert(weights, family.rules, rows)
    for rule in expand(family.rules, rows):
        if rule.unused:
            state |= {
                key: torch.ones_like(state.get(key, torch.empty(2, 2))) for key in rule.sources
            }
    state = {k: t.contiguous() for k, t in state.items() if not k.endswith("attn_mask")}
    if family.name == "MiDaS Swin V2" and family.layout == "official":
        state["pretrained.model.layers.0.blocks.1.attn_mask"] = torch.zeros(64, 4, 4)
    return state


def tiny_sam() -> dict[str, Tensor]:
    """A Segment Anything checkpoint in the official layout, trained on discs, in float16."""
    stored = load_file(FIXTURES / "sam" / "tiny.safetensors")
    return {key.removeprefix("sd."): t for key, t in stored.items() if key.startswith("sd.")}


def tiny_sam_image() -> Tensor:
    """What that checkpoint finds objects in: two bars and a disc. 1×3×H×W in [0, 1]."""
    pixels = load_file(FIXTURES / "sam" / "tiny.safetensors")["in.image"]
    return pixels.permute(2, 0, 1).unsqueeze(0).float() / 255


def write_checkpoint(
    path: Path, state: dict[str, Tensor], metadata: dict[str, str] | None = None
) -> Path:
    """Save a state dict; the suffix decides: .safetensors, or PyTorch's own for the rest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".safetensors":
        save_file(state, path, metadata)
    else:
        torch.save(state, path)
    return path


def write_shards(
    folder: Path,
    state: dict[str, Tensor],
    weight_map: dict[str, str],
    index: str = "model.safetensors.index.json",
) -> Path:
    """Save a state dict in several files of a folder, and their index.

    Args:
        weight_map: the name of the file for each key.
    """
    for file in set(weight_map.values()):
        write_checkpoint(folder / file, {k: t for k, t in state.items() if weight_map[k] == file})
    (folder / index).write_text(json.dumps({"weight_map": weight_map}))
    return folder


def write_depth_anything(path: Path, dtype: torch.dtype = torch.float32, **sizes) -> Path:
    """Write a tiny Depth Anything checkpoint; for the sizes see `depth_anything_shapes`."""
    state = random_weights(depth_anything_shapes(**sizes))
    return write_checkpoint(path, {name: tensor.to(dtype) for name, tensor in state.items()})
