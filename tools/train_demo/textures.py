"""An atlas of square textures: procedural patterns, and crops of photographs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from PIL import Image
from torch import Tensor

SIDE = 128  # pixels
LEVELS = 5  # each with a quarter of the pixels of the one before


def noise(rng: Generator, side: int = SIDE, roughness: float = 1.0) -> np.ndarray:
    """Tileable noise side×side in [0, 1], whose spectrum falls as frequency^-(1 + roughness)."""
    y, x = np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij")
    radius = np.hypot(x, y)
    radius[0, 0] = 1.0
    spectrum = rng.normal(size=radius.shape) + 1j * rng.normal(size=radius.shape)
    spectrum *= radius ** -(1 + roughness)
    spectrum[0, 0] = 0
    values = np.fft.irfft2(spectrum, s=(side, side))
    low, high = np.percentile(values, [2, 98])
    return np.clip((values - low) / (high - low), 0, 1)


def pattern(rng: Generator) -> np.ndarray:
    """A pattern SIDE×SIDE×3 in [0, 1]: noise, checks, stripes, bricks, dots or grain."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    rough = noise(rng, roughness=rng.uniform(0.2, 2))
    n, m = rng.integers(1, 9, 2)
    choice = rng.integers(0, 7)
    if choice == 0:
        mask = (np.floor(x * 2 * n) + np.floor(y * 2 * n)) % 2
    elif choice == 1:
        mask = 0.5 + 0.5 * np.sin(2 * np.pi * (n * x + m * y) + rng.uniform(0, 3) * rough)
    elif choice == 2:
        row = np.floor(y * 2 * n)
        column = (x * n + 0.5 * (row % 2)) % 1
        mask = ((column > 0.06) & ((y * 2 * n) % 1 > 0.12)).astype(float)
    elif choice == 3:
        mask = (np.hypot((x * n) % 1 - 0.5, (y * n) % 1 - 0.5) < rng.uniform(0.15, 0.45)) * 1.0
    elif choice == 4:
        mask = noise(rng, roughness=rng.uniform(0, 1.5))
        mask = np.clip((mask - 0.5) * rng.uniform(1, 20) + 0.5, 0, 1)
    elif choice == 5:
        mask = ((x * n) % 1 < rng.uniform(0.1, 0.9)) * 1.0
    else:
        mask = np.broadcast_to(noise(rng)[:1], (SIDE, SIDE))
    mask = np.clip(mask + rng.uniform(0, 0.5) * (rough - 0.5), 0, 1)[..., None]
    first, second = rng.uniform(0, 1, (2, 3))
    grey = rng.uniform(0, 1) ** 0.4  # most surfaces are pale
    first, second = (c * (1 - grey) + c.mean() * grey for c in (first, second))
    return (first * mask + second * (1 - mask)).astype(np.float32)


def cut_out(rng: Generator, photograph: np.ndarray) -> np.ndarray:
    """A random square of a photograph H×W×3 uint8 as SIDE×SIDE×3 in [0, 1], turned and mirrored."""
    height, width = photograph.shape[:2]
    side = int(min(height, width) * np.exp(rng.uniform(np.log(0.15), 0)))
    top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
    square = Image.fromarray(photograph[top : top + side, left : left + side])
    values = np.asarray(square.resize((SIDE, SIDE), Image.Resampling.BOX)) / 255
    if rng.random() < 0.5:
        values = values[:, ::-1]
    return np.rot90(values, int(rng.integers(0, 4))).astype(np.float32)


def read_photographs(folders: Sequence[Path]) -> list[np.ndarray]:
    """Every JPEG, PNG and WebP in the folders, with sides of 1,024 pixels at most, uint8."""
    found = []
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp"):
                with Image.open(path) as image:
                    image.thumbnail((1024, 1024))
                    found.append(np.asarray(image.convert("RGB")))
    return found


def make_atlas(rng: Generator, photographs: Sequence[np.ndarray], count: int) -> tuple[Tensor, ...]:
    """`count` textures as a pyramid: LEVELS tensors count×side×side×3, each texture of mean 0.

    Half of them come from photographs, if there are any.
    """
    textures = []
    for i in range(count):
        if photographs and i % 2:
            textures.append(cut_out(rng, photographs[int(rng.integers(len(photographs)))]))
        else:
            textures.append(pattern(rng))
    level = torch.from_numpy(np.stack(textures)).permute(0, 3, 1, 2)
    level = level - level.mean(dim=(2, 3), keepdim=True)
    levels = []
    for _ in range(LEVELS):
        levels.append(level.permute(0, 2, 3, 1).contiguous())
        level = F.avg_pool2d(level, 2)
    return tuple(levels)
