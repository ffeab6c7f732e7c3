"""Checkpoints for the tests, in the layouts of the published files, with seeded random weights."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

torch.set_num_threads(1)  # the networks here are tiny: more threads cost more than they give

FIXTURES = Path(__file__).parent / "fixtures"
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


WB = ("weight", "bias")


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


@pytest.fixture
def fixtures() -> Path:
    """The folder of recorded results and pictures."""
    return FIXTURES


@pytest.fixture
def write_depth_anything() -> Callable[..., Path]:
    """A function that writes a tiny Depth Anything checkpoint: (path, dtype, **sizes) → path.

    The suffix decides the format: .safetensors, or PyTorch's own for the rest.
    """

    def write(path: Path, dtype: torch.dtype = torch.float32, **sizes) -> Path:
        state = random_weights(depth_anything_shapes(**sizes))
        return write_state({name: tensor.to(dtype) for name, tensor in state.items()}, path)

    return write


def write_state(state: dict[str, Tensor], path: Path) -> Path:
    """Save a state dict in the format that the path's suffix names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    return path
