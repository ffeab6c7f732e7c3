"""transformers' models of published shapes, with random weights, and ours on the same weights."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import (  # pyright: ignore[reportMissingImports]
    BeitConfig,
    BitConfig,
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    Dinov2Config,
    DPTConfig,
    DPTForDepthEstimation,
    PreTrainedModel,
    Swinv2Config,
)

import dpt_core


def depth_anything(width: int, depth: int, taps: list[int], channels: list[int], features: int):
    """Depth Anything V2."""
    backbone = Dinov2Config(
        hidden_size=width,
        num_hidden_layers=depth,
        num_attention_heads=width // 64,
        image_size=518,
        patch_size=14,
        out_indices=taps,
        apply_layernorm=True,
        reshape_hidden_states=False,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone.to_dict(),
        reassemble_hidden_size=width,
        neck_hidden_sizes=channels,
        fusion_hidden_size=features,
        head_hidden_size=32,
        patch_size=14,
    )
    return DepthAnythingForDepthEstimation(config)


def beit_base() -> PreTrainedModel:
    """MiDaS v3.1 BEiT-B 384."""
    backbone = BeitConfig(
        image_size=384,
        use_relative_position_bias=True,
        out_indices=[3, 6, 9, 12],
        reshape_hidden_states=False,
    )
    return DPTForDepthEstimation(
        DPTConfig(backbone_config=backbone.to_dict(), neck_hidden_sizes=[96, 192, 384, 768])
    )


def swin_tiny() -> PreTrainedModel:
    """MiDaS v3.1 Swin V2-T 256."""
    backbone = Swinv2Config(
        image_size=256,
        embed_dim=96,
        depths=[2, 2, 6, 2],
        num_heads=[3, 6, 12, 24],
        window_size=16,
        out_indices=[1, 2, 3, 4],
    )
    return DPTForDepthEstimation(
        DPTConfig(backbone_config=backbone.to_dict(), neck_hidden_sizes=[96, 192, 384, 768])
    )


def vit_large() -> PreTrainedModel:
    """MiDaS v3.0 ViT-L 384."""
    return DPTForDepthEstimation(
        DPTConfig(
            hidden_size=1024,
            num_hidden_layers=24,
            num_attention_heads=16,
            intermediate_size=4096,
            backbone_out_indices=[5, 11, 17, 23],
            neck_hidden_sizes=[256, 512, 1024, 1024],
        )
    )


def hybrid() -> PreTrainedModel:
    """MiDaS v3.0 hybrid 384."""
    backbone = BitConfig(
        global_padding="same",
        layer_type="bottleneck",
        depths=[3, 4, 9],
        out_features=["stage1", "stage2", "stage3"],
        embedding_dynamic_padding=True,
    )
    return DPTForDepthEstimation(
        DPTConfig(
            is_hybrid=True,
            backbone_config=backbone.to_dict(),
            backbone_featmap_shape=[1, 1024, 24, 24],
            neck_ignore_stages=[0, 1],
            reassemble_factors=[1, 1, 1, 0.5],
            backbone_out_indices=[0, 1, 8, 11],
            neck_hidden_sizes=[256, 512, 768, 768],
        )
    )


# name → (model, height and width of the network's input)
MODELS: dict[str, tuple[Callable[[], PreTrainedModel], tuple[int, int]]] = {
    "V2-S 518×518": (
        lambda: depth_anything(384, 12, [3, 6, 9, 12], [48, 96, 192, 384], 64),
        (518, 518),
    ),
    "V2-S 518×924": (
        lambda: depth_anything(384, 12, [3, 6, 9, 12], [48, 96, 192, 384], 64),
        (518, 924),
    ),
    "V2-B 518×518": (
        lambda: depth_anything(768, 12, [3, 6, 9, 12], [96, 192, 384, 768], 128),
        (518, 518),
    ),
    "BEiT-B 384×384": (beit_base, (384, 384)),
    "Swin V2-T 256×256": (swin_tiny, (256, 256)),
    "hybrid 384×384": (hybrid, (384, 384)),
    "ViT-L 384×384": (vit_large, (384, 384)),
}


def pair(name: str) -> tuple[dpt_core.DepthModel, PreTrainedModel, tuple[int, int]]:
    """Ours and theirs, with the same weights, and the size of the input."""
    make, size = MODELS[name]
    torch.manual_seed(0)
    theirs = make().eval()
    with tempfile.TemporaryDirectory() as folder:
        theirs.config.save_pretrained(folder)
        save_file(theirs.state_dict(), Path(folder, "model.safetensors"))
        ours = dpt_core.load(folder)
    return ours, theirs, size
