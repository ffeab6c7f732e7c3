"""The demo's network: a small Depth Anything V2, from fresh weights to a file."""

import math
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from dpt_core.capture import capture
from dpt_core.checkpoint.rules import revert
from dpt_core.depth.config import DepthHeadConfig, DPTConfig, ImageRule, ReassembleConfig, ViTConfig
from dpt_core.depth.families.depth_anything import FAMILIES
from dpt_core.depth.families.family import IMAGENET_MEAN, IMAGENET_STD, block_rows
from dpt_core.depth.network import DPT

GRID = 14  # trained positions: the nominal side of the input is 14 × 14 = 196 pixels
WIDTH, CHANNELS, FEATURES, HEAD = 128, (48, 64, 96, 128), 48, (24, 32)

CONFIG = DPTConfig(
    family="Depth Anything V2",
    encoder=ViTConfig(
        width=WIDTH,
        heads=WIDTH // 64,
        mlp_hidden=4 * WIDTH,
        gated_mlp=False,
        patch=14,
        stage_depths=(3, 3, 3, 3),
        grid=(GRID, GRID),
        positions="dinov2",
        layer_scale=True,
        norm_eps=1e-6,
        final_norm_eps=1e-6,
    ),
    reassembly=(
        ReassembleConfig(WIDTH, CHANNELS[0], readout=False, projected=True, resampled=True),
        ReassembleConfig(WIDTH, CHANNELS[1], readout=False, projected=True, resampled=True),
        ReassembleConfig(WIDTH, CHANNELS[2], readout=False, projected=True, resampled=False),
        ReassembleConfig(WIDTH, CHANNELS[3], readout=False, projected=True, resampled=True),
    ),
    features=FEATURES,
    head=DepthHeadConfig(HEAD),
    image=ImageRule(IMAGENET_MEAN, IMAGENET_STD, GRID * 14, 14, "cover", "bilinear", True),
)


class Trainable(DPT):
    """The package's own network, with its depth taken before the last ReLU."""

    def forward(self, images: Tensor) -> Tensor:
        """Images B×3×H×W in [0, 1] → logits B×H×W."""
        mean, std = (
            torch.tensor(v).view(3, 1, 1).to(images) for v in (IMAGENET_MEAN, IMAGENET_STD)
        )
        with capture(self, ["head.proj_1ch"]) as maps:
            self.predict((images - mean) / std)
        return maps["head.proj_1ch"].squeeze(1)


def make_network() -> Trainable:
    """A network with fresh weights: sinusoids for positions, small residuals, else the defaults."""
    net = Trainable(CONFIG, nn)
    for name, parameter in net.named_parameters():
        with torch.no_grad():
            if name.endswith(("scale_attn", "scale_mlp")):
                parameter.fill_(0.3)
            elif "cls" in name:
                parameter.normal_(std=0.02)
            elif name.endswith("base_patch_embedding"):
                parameter.copy_(_waves())
            elif "imgencoder" in name and parameter.dim() == 2:
                nn.init.trunc_normal_(parameter, std=0.5 / math.sqrt(parameter.shape[1]))
    with torch.no_grad():
        final = net.head.proj_1ch[2]
        assert isinstance(final, nn.Conv2d)
        assert final.bias is not None
        final.bias.fill_(2.0)
    return net


def _waves() -> Tensor:
    """Sines and cosines of rows and columns, 1×C×g×g."""
    at = torch.linspace(0, 1, GRID)
    waves = [torch.sin(math.pi * k * at + p) for k in range(1, WIDTH // 8 + 1) for p in (0, 1.57)]
    table = torch.stack(waves)  # C/4 × g
    rows = table[:, :, None].expand(-1, -1, GRID)
    columns = table[:, None, :].expand(-1, GRID, -1)
    return 0.2 * torch.cat([rows, columns, rows * columns, rows * columns.flip(0)])[None]


def official_layout(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The network's weights under Depth Anything V2's official names."""
    return revert(state, FAMILIES[0].rules, block_rows(CONFIG.encoder.stage_depths))


def export(state: Mapping[str, Tensor], path: Path, images: int) -> None:
    """Write the weights as float16 safetensors, with metadata that describes them."""
    weights = {k: v.detach().half().contiguous() for k, v in official_layout(state).items()}
    metadata = {
        "name": "DPT Depth demo",
        "variant": "Depth Anything V2 layout, relative (inverse) depth",
        "training": f"{images:,} pictures of procedural scenes; see docs/demo-checkpoint.md",
        "date": date.today().isoformat(),
        "license": "MIT",
        "limits": "A demonstration, far below a Depth Anything model; not for production.",
    }
    save_file(weights, path, metadata)
