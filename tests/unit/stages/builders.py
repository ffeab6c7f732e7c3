"""Tiny models with every kind of encoder, without a file, and random maps."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dpt_core import DepthModel, DPTConfig, HybridConfig, ImageRule
from dpt_core.checkpoint.inspection import Inspection
from dpt_core.depth.config import DepthHeadConfig, ReassembleConfig
from dpt_core.depth.network import DPT
from dpt_core.stages import (
    FeatureSpec,
    extract_features,
)
from tests.builders import TINY_DINOV2, tiny_swin

VIT = replace(
    TINY_DINOV2,
    width=16,
    heads=2,
    mlp_hidden=24,
    patch=8,
    stage_depths=(2, 1, 1, 1),
    grid=(4, 4),
)
BEIT = replace(VIT, positions="relative", final_norm_eps=None)
HYBRID = HybridConfig(
    vit=replace(VIT, patch=16, positions="bilinear", stage_depths=(0, 0, 1, 1)),
    stem=32,
    widths=(128, 128, 128),
    layers=(1, 1, 1),
)
SWIN = replace(
    tiny_swin(version=2, window=4, side=32),
    heads=(2, 2, 2, 2),
    mlp_hidden=(16, 32, 64, 128),
    bias_hidden=8,
    patch=2,
    stage_depths=(2, 2, 1, 1),
)
ENCODERS = {
    "dinov2": VIT,
    "beit": BEIT,
    "hybrid": HYBRID,
    "swin2": SWIN,
    "swin1": replace(SWIN, version=1, bias_hidden=0),
}


def make_model(name: str) -> DepthModel:
    """A tiny model with seeded random weights that no file stands behind."""
    encoder = ENCODERS[name]
    resampled = {"hybrid": (3,), "swin1": (), "swin2": ()}.get(name, (0, 1, 3))
    a, b, c, d = (
        ReassembleConfig(
            width=width,
            channels=width,
            readout=name == "beit" or (name == "hybrid" and i > 1),
            projected=False,
            resampled=i in resampled,
        )
        for i, width in enumerate(encoder.stage_widths)
    )
    fit = "square" if name.startswith("swin") else "cover"
    half = (0.5, 0.5, 0.5)
    image = ImageRule(half, half, 32, encoder.multiple, fit, "bilinear", False)
    net = DPT(DPTConfig("tiny", encoder, (a, b, c, d), 6, DepthHeadConfig((4, 5)), image))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for key, weight in net.named_parameters():
            middle = 0.8 if weight.ndim == 1 and "weight" in key else 0.0
            weight.normal_(middle, 0.3, generator=generator)
    net.eval().requires_grad_(False)
    inspection = Inspection(Path("tiny.pth"), "tiny", "none", net.config, (), 0, "float32", 0)
    return DepthModel(net.config, net, inspection, torch.device("cpu"), torch.float32)


def network(model: DepthModel) -> Any:
    """A model's network, for tests that call the parts by name."""
    return model.net


def first_map(model: DepthModel, images: Tensor, spec: FeatureSpec) -> Tensor:
    """B×C×rows×columns values of the first extracted map."""
    return extract_features(model, images, spec).maps[0].values


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
