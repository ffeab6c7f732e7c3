"""Models from the transformers package with published shapes and random weights."""

from collections.abc import Callable

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


def beit(width: int, depth: int, side: int, channels: list[int]) -> PreTrainedModel:
    """MiDaS v3.1 BEiT."""
    backbone = BeitConfig(
        hidden_size=width,
        num_hidden_layers=depth,
        num_attention_heads=width // 64,
        intermediate_size=4 * width,
        image_size=side,
        use_relative_position_bias=True,
        out_indices=[depth * i // 4 for i in (1, 2, 3, 4)],
        reshape_hidden_states=False,
    )
    return DPTForDepthEstimation(
        DPTConfig(backbone_config=backbone.to_dict(), neck_hidden_sizes=channels)
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


BASE, LARGE = [96, 192, 384, 768], [256, 512, 1024, 1024]

# By name of the published checkpoint.
MODELS: dict[str, Callable[[], PreTrainedModel]] = {
    "depth_anything_v2_vits": lambda: depth_anything(
        384, 12, [3, 6, 9, 12], [48, 96, 192, 384], 64
    ),
    "depth_anything_v2_vitb": lambda: depth_anything(768, 12, [3, 6, 9, 12], BASE, 128),
    "depth_anything_v2_vitl": lambda: depth_anything(1024, 24, [5, 12, 18, 24], LARGE, 256),
    "dpt_beit_base_384": lambda: beit(768, 12, 384, BASE),
    "dpt_beit_large_512": lambda: beit(1024, 24, 512, LARGE),
    "dpt_swin2_tiny_256": swin_tiny,
    "dpt_hybrid_384": hybrid,
}
