"""Segment Anything inside a host, in this process.

The network was trained for a few minutes on drawn discs and bars: it finds a disc by a point.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import dpt_core
from tests.builders import tiny_sam, write_checkpoint

Disc = tuple[int, int, int]  # x, y, radius


@dataclass(frozen=True)
class Discs:
    """A red and a blue disc on green."""

    size: tuple[int, int] = (96, 128)
    red: Disc = (34, 40, 22)
    blue: Disc = (90, 60, 26)

    def mask(self, disc: Disc, shift: int = 0) -> Tensor:
        """H×W bool."""
        rows, columns = torch.meshgrid(*(torch.arange(side) for side in self.size), indexing="ij")
        x, y, radius = disc
        return (columns - x - shift) ** 2 + (rows - y) ** 2 < radius**2

    def picture(self, shift: int = 0) -> Tensor:
        """1×H×W×3; the red disc moved to the right."""
        image = torch.tensor([0.25, 0.4, 0.25]).expand(*self.size, 3).clone()
        image[self.mask(self.red, shift)] = torch.tensor([0.9, 0.2, 0.15])
        image[self.mask(self.blue)] = torch.tensor([0.2, 0.35, 0.9])
        return image.unsqueeze(0)

    def depth(self, kind: str = "inverse", shift: int = 0) -> dpt_core.Depth:
        """The red disc is nearest, then the blue one, then the ground; as a pack's own Depth."""
        disparity = torch.ones(self.size)
        disparity[self.mask(self.blue)] = 2.0
        disparity[self.mask(self.red, shift)] = 4.0
        values = disparity if kind == "inverse" else 8 / disparity
        return dpt_core.Depth(values.unsqueeze(0), kind)  # pyright: ignore[reportArgumentType]


@pytest.fixture
def discs() -> Discs:
    """What is looked at."""
    return Discs()


@pytest.fixture
def sam_file(host: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checkpoint in models/sams, which no other pack has registered."""
    host.files.folder_names_and_paths.pop("sams", None)
    monkeypatch.setattr(host.files, "get_temp_directory", lambda: str(tmp_path / "temp"))
    state = {key: tensor.float() for key, tensor in tiny_sam().items()}
    return write_checkpoint(tmp_path / "models/sams" / "tiny_sam.pth", state)


@pytest.fixture
def managed(host: Any, sam_file: Path) -> Any:
    """What Load SAM Checkpoint gives."""
    return host.run("DPTLoadSAM", checkpoint=sam_file.name, precision="float32").result[0]


@pytest.fixture
def segment(host: Any, managed: Any, discs: Discs) -> Callable[..., Any]:
    """A function that runs Segment: (prompts, image, **other inputs) → its output."""

    def run(prompts: str = "", image: Tensor | None = None, **inputs: Any) -> Any:
        defaults = {"points_mark": "one object", "candidates": "auto", "merge": False}
        image = discs.picture() if image is None else image
        return host.run(
            "DPTSegment", sam=managed, image=image, prompts=prompts, **{**defaults, **inputs}
        )

    return run


@pytest.fixture
def everything(host: Any, managed: Any) -> Callable[..., Any]:
    """A function that runs Segment Everything: (image, **other inputs) → its results."""

    def run(image: Tensor, **inputs: Any) -> Any:
        defaults = {"points_per_side": 6, "pred_iou_thresh": 0.5, "stability_score_thresh": 0.5}
        inputs = {**defaults, "min_mask_region_area": 0, **inputs}
        return host.run("DPTSegmentEverything", sam=managed, image=image, **inputs).result

    return run
