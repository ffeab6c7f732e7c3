"""Images in and depth out against the official code (OpenCV's resampling, sizes, corners)."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from dpt_core import DepthModel, ImageRule
from dpt_core.depth.preprocessing import network_size
from tests.builders import FIXTURES
from tests.parity.records import load_record, relative_error, to_images

TOLERANCE = 1e-4
HALF = (0.5, 0.5, 0.5)
# What of these rules counts here is the size; the rest is any model's.
COVER = ImageRule(HALF, HALF, 518, 14, "cover", "bilinear", True)
CLOSEST = ImageRule(HALF, HALF, 384, 32, "closest", "bicubic", False)


def crop(network_input: Tensor, place: str) -> Tensor:
    """24×24 pixels of a corner or the middle, as they are in the records of large inputs."""
    height, width = network_input.shape[-2:]
    top, left = {
        "tl": (0, 0),
        "mid": (height // 2 - 12, width // 2 - 12),
        "br": (height - 24, width - 24),
    }[place]
    return network_input[..., top : top + 24, left : left + 24]


def test_network_input_and_depth_match_the_official_code(image_record: Any, tmp_path: Path) -> None:
    is_midas = image_record.path.stem == "preprocess_midas"
    models: dict[str, DepthModel] = {}

    def model_of(weights: str) -> DepthModel:
        if weights not in models:
            models[weights] = load_record(
                image_record.path.with_name(f"{weights}.safetensors"), tmp_path
            )
        return models[weights]

    checked = 0
    for name, expected in image_record.tensors.items():
        kind, image, *rest = name.split(".")
        if kind == "in":
            continue
        images = to_images(image_record.tensors[f"in.{image}"])
        if kind == "depth":
            # MiDaS models at their own size; those of Depth Anything at the size in the name.
            weights = rest[0] if is_midas else image_record.notes["weights"]
            ours = model_of(weights).infer(images, None if is_midas else int(rest[0])).values[0]
        else:
            square = rest[0] == "square"
            weights = f"midas_{'swin2' if square else 'beit'}_a" if is_midas else None
            model = model_of(weights or image_record.notes["weights"])
            side = int(rest[0]) if rest[0].isdecimal() else None
            ours = model.preprocess(images, side)
            ours = crop(ours, rest[1]) if len(rest) == 2 else ours
        assert relative_error(ours, expected) <= TOLERANCE, name
        checked += 1
    assert checked >= 2


@pytest.mark.parametrize(("family", "rule"), [("depth_anything", COVER), ("midas", CLOSEST)])
def test_sizes_match_the_official_rules(family: str, rule: ImageRule) -> None:
    table = json.loads((FIXTURES / "golden" / "sizes.json").read_text())[family]
    for setting, rows in table.items():
        side, _, shape = setting.partition("_")
        here = rule
        if shape == "square":  # Swin's, one trained side for each
            here = replace(rule, side=int(side), multiple=int(side), fit="square")
        assert len(rows) > 30
        for height, width, *expected in rows:
            # The official rule can give 0, and the code then fails; ours gives one multiple.
            ours = network_size((height, width), here, int(side))
            assert ours == tuple(max(n, rule.multiple) for n in expected), (setting, height, width)
