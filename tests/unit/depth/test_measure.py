"""Every size is read off the weights: the whole configuration of each published checkpoint."""

import re
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

import dpt_core
from dpt_core import CheckpointError, DPTConfig, HybridConfig, ImageRule, SwinConfig, ViTConfig
from dpt_core.checkpoint.family import Family
from dpt_core.depth.config import DepthHeadConfig, Four, ReassembleConfig
from dpt_core.depth.families import FAMILIES
from dpt_core.loading import inspect, load
from tests.builders import tiny_checkpoint, write_checkpoint, write_depth_anything
from tests.published import write_header

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # mean, std
HALF = (0.5, 0.5, 0.5)
RESAMPLED = (True, True, False, True)  # ×4, ×2, as it is, ÷2

# DINOv2's width, heads, blocks, hidden width; the decoder's features and channels.
SIZES: dict[str, tuple[int, int, int, int, int, Four]] = {
    "s": (384, 6, 12, 1536, 64, (48, 96, 192, 384)),
    "b": (768, 12, 12, 3072, 128, (96, 192, 384, 768)),
    "l": (1024, 16, 24, 4096, 256, (256, 512, 1024, 1024)),
    "g": (1536, 24, 40, 4096, 384, (1536, 1536, 1536, 1536)),
}
STAGES: dict[tuple[int, int], Four] = {  # (version, blocks): blocks in each stage
    (1, 12): (9, 1, 1, 1),
    (1, 24): (21, 1, 1, 1),
    (2, 12): (3, 3, 3, 3),
    (2, 24): (5, 7, 6, 6),
    (2, 40): (10, 10, 10, 10),
    (3, 24): (5, 7, 6, 6),
}


def dinov2(size: str, version: int) -> ViTConfig:
    width, heads, blocks, hidden, *_ = SIZES[size]
    return ViTConfig(
        width=width,
        heads=heads,
        mlp_hidden=hidden,
        gated_mlp=size == "g",
        patch=14,
        stage_depths=STAGES[version, blocks],
        grid=(37, 37),
        positions="dinov2",
        layer_scale=True,
        norm_eps=1e-6,
        final_norm_eps=1e-5 if version == 3 else 1e-6,
    )


def reassembly(width: int, channels: Four, readout: bool) -> Any:
    return tuple(
        ReassembleConfig(width, count, readout, projected=True, resampled=resampled)
        for count, resampled in zip(channels, RESAMPLED, strict=True)
    )


def depth_anything(size: str, version: int, max_depth: float | None = None) -> DPTConfig:
    width, *_, features, channels = SIZES[size]
    return DPTConfig(
        family=f"Depth Anything V{version}" + (" metric" if max_depth else ""),
        encoder=dinov2(size, version),
        reassembly=reassembly(width, channels, readout=False),
        features=features,
        head=DepthHeadConfig(
            (features // 2, 32),
            kind="metres" if max_depth else "inverse",
            activation="sigmoid" if max_depth else "relu",
            max_depth=max_depth,
        ),
        image=ImageRule(
            *IMAGENET,
            side=518,
            multiple=14,
            fit="cover",
            depth_resampling="bilinear",
            depth_corners=version == 2,
        ),
    )


def depth_anything_3(kind: Literal["mono", "metric"]) -> DPTConfig:
    return DPTConfig(
        family=f"Depth Anything 3 {kind}",
        encoder=dinov2("l", 3),
        reassembly=reassembly(1024, (256, 512, 1024, 1024), readout=False),
        features=256,
        head=DepthHeadConfig(
            (128, 32),
            kind="depth",
            activation="exp",
            metres_per_focal=1 / 300 if kind == "metric" else None,
            sky=True,
        ),
        image=ImageRule(
            *IMAGENET,
            side=504,
            multiple=14,
            fit="longest",
            depth_resampling="bilinear",
            depth_corners=False,
            shrink="area",
        ),
    )


def midas(family: str, encoder: Any, reassembly: Any, side: int, square: bool = False) -> DPTConfig:
    return DPTConfig(
        family=f"MiDaS {family}",
        encoder=encoder,
        reassembly=reassembly,
        features=256,
        head=DepthHeadConfig((128, 32)),
        image=ImageRule(
            mean=HALF,
            std=HALF,
            side=side,
            multiple=side if square else 32,
            fit="square" if square else "closest",
            depth_resampling="bicubic",
            depth_corners=False,
        ),
    )


def vit(width: int, stage_depths: Four, grid: int, beit: bool = False) -> ViTConfig:
    return ViTConfig(
        width=width,
        heads=width // 64,
        mlp_hidden=4 * width,
        gated_mlp=False,
        patch=16,
        stage_depths=stage_depths,
        grid=(grid, grid),
        positions="relative" if beit else "bilinear",
        layer_scale=beit,
        norm_eps=1e-6,
        final_norm_eps=None,
    )


def midas_beit(width: int, depth: int, channels: Four, side: int) -> DPTConfig:
    encoder = vit(width, (depth, depth, depth, depth), side // 16, beit=True)
    return midas("v3.1 BEiT", encoder, reassembly(width, channels, readout=True), side)


def midas_vit() -> DPTConfig:
    maps = reassembly(1024, (256, 512, 1024, 1024), readout=True)
    return midas("v3.0 ViT", vit(1024, (6, 6, 6, 6), 24), maps, 384)


def midas_hybrid() -> DPTConfig:
    resnet = {"stem": 64, "widths": (256, 512, 1024), "layers": (3, 4, 9)}
    maps = (
        ReassembleConfig(256, 256, readout=False, projected=False, resampled=False),
        ReassembleConfig(512, 512, readout=False, projected=False, resampled=False),
        ReassembleConfig(768, 768, readout=True, projected=True, resampled=False),
        ReassembleConfig(768, 768, readout=True, projected=True, resampled=True),
    )
    return midas("v3.0 hybrid", HybridConfig(vit(768, (0, 0, 9, 3), 24), **resnet), maps, 384)


def midas_swin(
    width: int, heads: Four, third: int, window: int, side: int, version: Literal[1, 2] = 2
) -> DPTConfig:
    widths = (width, 2 * width, 4 * width, 8 * width)
    encoder = SwinConfig(
        version=version,
        width=width,
        heads=heads,
        mlp_hidden=(4 * width, 8 * width, 16 * width, 32 * width),
        bias_hidden=512 if version == 2 else 0,
        patch=4,
        stage_depths=(2, 2, third, 2),
        window=window,
        pretrained_window=(12, 12, 12, 6) if window == 24 else (0, 0, 0, 0),
        side=side,
        norm_eps=1e-5,
    )
    maps: Any = tuple(ReassembleConfig(w, w, False, False, False) for w in widths)
    return midas("v3.1 Swin V2" if version == 2 else "v3.1 Swin", encoder, maps, side, square=True)


IMAGES = torch.rand(1, 3, 20, 30, generator=torch.Generator().manual_seed(0))

BEIT_B = (768, 3, (96, 192, 384, 768), 384)
BEIT_L = (1024, 6, (256, 512, 1024, 1024))
SWIN2_T = (96, (3, 6, 12, 24), 6, 16, 256)
SWIN2_B = (128, (4, 8, 16, 32), 18, 24, 384)
SWIN2_L = (192, (6, 12, 24, 48), 18, 24, 384)

PUBLISHED: dict[str, DPTConfig] = {
    "depth_anything_vits14": depth_anything("s", 1),
    "depth_anything_vitb14": depth_anything("b", 1),
    "depth_anything_vitl14": depth_anything("l", 1),
    "LiheYoung/depth-anything-small-hf": depth_anything("s", 1),
    "LiheYoung/depth-anything-base-hf": depth_anything("b", 1),
    "LiheYoung/depth-anything-large-hf": depth_anything("l", 1),
    "depth_anything_v2_vits": depth_anything("s", 2),
    "depth_anything_v2_vitb": depth_anything("b", 2),
    "depth_anything_v2_vitl": depth_anything("l", 2),
    "depth_anything_v2_vitg": depth_anything("g", 2),
    "depth-anything/Depth-Anything-V2-Small-hf": depth_anything("s", 2),
    "depth-anything/Depth-Anything-V2-Base-hf": depth_anything("b", 2),
    "depth-anything/Depth-Anything-V2-Large-hf": depth_anything("l", 2),
    "depth_anything_v2_metric_hypersim_vits": depth_anything("s", 2, 20),
    "depth_anything_v2_metric_hypersim_vitb": depth_anything("b", 2, 20),
    "depth_anything_v2_metric_hypersim_vitl": depth_anything("l", 2, 20),
    "depth_anything_v2_metric_vkitti_vits": depth_anything("s", 2, 80),
    "depth_anything_v2_metric_vkitti_vitb": depth_anything("b", 2, 80),
    "depth_anything_v2_metric_vkitti_vitl": depth_anything("l", 2, 80),
    "depth-anything/Depth-Anything-V2-Metric-Indoor-Small-hf": depth_anything("s", 2, 20),
    "depth-anything/Depth-Anything-V2-Metric-Indoor-Base-hf": depth_anything("b", 2, 20),
    "depth-anything/Depth-Anything-V2-Metric-Indoor-Large-hf": depth_anything("l", 2, 20),
    "depth-anything/Depth-Anything-V2-Metric-Outdoor-Small-hf": depth_anything("s", 2, 80),
    "depth-anything/Depth-Anything-V2-Metric-Outdoor-Base-hf": depth_anything("b", 2, 80),
    "depth-anything/Depth-Anything-V2-Metric-Outdoor-Large-hf": depth_anything("l", 2, 80),
    "depth-anything/DA3MONO-LARGE": depth_anything_3("mono"),
    "depth-anything/DA3METRIC-LARGE": depth_anything_3("metric"),
    "dpt_beit_base_384": midas_beit(*BEIT_B),
    "dpt_beit_large_384": midas_beit(*BEIT_L, 384),
    "dpt_beit_large_512": midas_beit(*BEIT_L, 512),
    "Intel/dpt-beit-base-384": midas_beit(*BEIT_B),
    "Intel/dpt-beit-large-384": midas_beit(*BEIT_L, 384),
    "Intel/dpt-beit-large-512": midas_beit(*BEIT_L, 512),
    "dpt_large_384": midas_vit(),
    "Intel/dpt-large": midas_vit(),
    "dpt_hybrid_384": midas_hybrid(),
    "Intel/dpt-hybrid-midas": midas_hybrid(),
    "dpt_swin2_tiny_256": midas_swin(*SWIN2_T),
    "dpt_swin2_base_384": midas_swin(*SWIN2_B),
    "dpt_swin2_large_384": midas_swin(*SWIN2_L),
    "Intel/dpt-swinv2-tiny-256": midas_swin(*SWIN2_T),
    "Intel/dpt-swinv2-base-384": midas_swin(*SWIN2_B),
    "Intel/dpt-swinv2-large-384": midas_swin(*SWIN2_L),
    "dpt_swin_large_384": midas_swin(192, (6, 12, 24, 48), 18, 12, 384, version=1),
}

# Millions of numbers in the networks, nothing unused counted.
PARAMETERS = {
    "depth_anything_vits14": 24.7,
    "depth_anything_v2_vitl": 334.1,
    "depth_anything_v2_vitg": 1255.5,
    "depth-anything/DA3MONO-LARGE": 334.2,
    "dpt_beit_large_512": 342.8,
    "dpt_hybrid_384": 121.2,
    "dpt_swin2_tiny_256": 39.8,
}


def test_the_whole_configuration_of_every_published_checkpoint(
    manifests: dict[str, Any], tmp_path: Path
) -> None:
    assert PUBLISHED.keys() == manifests.keys()
    for name, expected in PUBLISHED.items():
        is_folder = "/" in name
        path = tmp_path / (f"{name}/model.safetensors" if is_folder else f"{name}.safetensors")
        write_header(path, manifests[name]["state_dict"])
        inspection = inspect(path)
        assert inspection.config == expected, name
        millions = PARAMETERS.get(name)
        if millions is not None:
            assert inspection.parameters / 1e6 == pytest.approx(millions, abs=0.06), name
        path.unlink()


@pytest.mark.parametrize(
    "sizes",
    [
        {"width": 192, "hidden": 100, "channels": (3, 5, 7, 11), "features": 6, "grid": 4},
        {"blocks": 6, "width": 128},  # V1 taps the last four of any encoder
        {"blocks": 12, "gated": True, "hidden": 40},
        {"blocks": 24, "grid": 3},
    ],
)
def test_sizes_that_nobody_published_load_and_run(sizes: dict[str, Any], tmp_path: Path) -> None:
    model = dpt_core.load(write_depth_anything(tmp_path / "depth_anything_v2.pth", **sizes))
    encoder = model.config.encoder
    assert isinstance(encoder, ViTConfig)
    found = {
        "blocks": sum(encoder.stage_depths),
        "width": encoder.width,
        "hidden": encoder.mlp_hidden,
        "gated": encoder.gated_mlp,
        "channels": tuple(stage.channels for stage in model.config.reassembly),
        "features": model.config.features,
        "grid": encoder.grid[0],
    }
    assert {name: found[name] for name in sizes} == sizes
    assert encoder.heads == encoder.width // 64
    if sizes.get("blocks") == 6:
        assert encoder.stage_depths == (3, 1, 1, 1)
        assert model.config.family == "Depth Anything V1"
    assert model.infer(IMAGES).values.std() > 1e-3


@pytest.mark.parametrize(
    ("key", "shape", "found"),
    [
        ("pretrained.pos_embed", (1, 27, 64), "pos_embed"),  # 26 patches are no square
        ("pretrained.blocks.3.attn.qkv.weight", (190, 64), "blocks.3.attn.qkv.weight: 190×64"),
        ("pretrained.patch_embed.proj.weight", (64, 4, 14, 14), "square patches of RGB"),
        ("depth_head.projects.2.weight", (14, 63, 1, 1), "projects.2.weight: 14×63×1×1"),
        ("depth_head.scratch.layer1_rn.weight", (10, 6, 3), "3 dimensions|10×6×3"),
    ],
)
def test_a_wrong_shape_is_an_error_with_the_files_own_key(
    key: str,
    shape: tuple[int, ...],
    found: str,
    depth_anything_header: dict[str, Any],
    tmp_path: Path,
) -> None:
    header = depth_anything_header | {key: ["float32", *shape]}
    with pytest.raises(CheckpointError, match=found):
        inspect(write_header(tmp_path / "depth_anything_v2.safetensors", header))


def test_too_few_blocks_and_gaps_are_errors(
    depth_anything_header: dict[str, Any], tmp_path: Path
) -> None:
    gap = {k: v for k, v in depth_anything_header.items() if ".blocks.4." not in k}
    with pytest.raises(CheckpointError, match="none numbered 4"):
        inspect(write_header(tmp_path / "gap.safetensors", gap))
    fourth = re.compile(r"pretrained\.blocks\.([3-9]|1\d)\.")
    three = {k: v for k, v in depth_anything_header.items() if not fourth.match(k)}
    with pytest.raises(CheckpointError, match="3 blocks"):
        inspect(write_header(tmp_path / "three.safetensors", three))


UNPROJECTED = [f for f in FAMILIES if "Swin" in f.name or "hybrid" in f.name]


@pytest.mark.parametrize("family", UNPROJECTED, ids=lambda family: f"{family.name}-{family.layout}")
def test_a_decoder_for_another_width_of_encoder_is_refused(family: Family, tmp_path: Path) -> None:
    state = tiny_checkpoint(family)
    first = next(key for key in ("scratch.layer1_rn.weight", "neck.convs.0.weight") if key in state)
    state[first] = state[first][:, 1:].contiguous()  # one input channel fewer
    with pytest.raises(CheckpointError, match=r"wrong shape for .* width of the encoder's stage"):
        load(write_checkpoint(tmp_path / "model.safetensors", state))
