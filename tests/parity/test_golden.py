"""The networks against the official implementations, on tiny models of every kind and layout."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import dpt_core
from dpt_core import DepthModel, SwinConfig
from dpt_core.depth.families import FAMILIES
from dpt_core.depth.reassemble import SCALES
from dpt_core.estimate.sky import fill_sky
from tests.builders import FIXTURES, write_depth_anything
from tests.parity.records import load_record, relative_error

TOLERANCE = 1e-4  # the official code's own rounding is 3e-6 … 2e-5 (float32 against float64)


def intermediates(model: DepthModel, images: Tensor) -> dict[str, Tensor]:
    """Everything on the way, under the names of the records."""
    names = {
        "imgencoder": "stages",
        "imgencoder.patch_embed": "patch_embed",
        "reassemble": "reassembled",
        "head.spatial_upsampler": "head_proj",
        "head.proj_1ch": "head_logits",
        **{f"reassemble.{scale}.resample": f"resample{i + 1}" for i, scale in enumerate(SCALES)},
        **{f"fusion.blocks.{i}": f"fusion{i + 1}" for i in range(4)},
    }
    if not isinstance(model.config.encoder, SwinConfig):
        names["imgencoder.posenc"] = "embedded"
    if model.config.head.sky:
        names["head.sky_1ch"] = "sky_logits"
    with torch.no_grad(), dpt_core.capture(model.net, names) as captured:
        depth, sky = model.net.predict(images)
    found: dict[str, Any] = {names[module]: result for module, result in captured.items()}
    for i, (stage, reassembled) in enumerate(
        zip(found.pop("stages"), found.pop("reassembled"), strict=True), start=1
    ):
        found |= {f"stage{i}": stage.map, f"reassembly{i}": reassembled}
        if stage.cls is not None:
            found[f"stage{i}_cls"] = stage.cls
    if isinstance(found["patch_embed"], tuple):  # the hybrid's gives two maps besides
        found["patch_embed"] = found["patch_embed"][-1]
    return found | {"depth": depth} | ({} if sky is None else {"sky": sky})


def in_the_records_shape(ours: dict[str, Tensor], name: str, expected: Tensor) -> Tensor:
    """Maps to tokens, and the cls token in front, where the official code has them so."""
    value = ours[name]
    if value.ndim == 4 and expected.ndim == 3:
        # Tokens are channels last in Swin's patch embedding, channels first in a stage's map.
        value = value.flatten(1, 2) if name == "patch_embed" else value.flatten(2).mT
    if value.ndim == 3 and value.shape[1] + 1 == expected.shape[1]:
        value = torch.cat([ours[f"{name}_cls"].unsqueeze(1), value], dim=1)
    return value


def test_depth_and_all_intermediates_match_the_official_code(
    depth_record: Any, tmp_path: Path
) -> None:
    model = load_record(depth_record, tmp_path)
    cases = depth_record.below("in.")
    if depth_record.path.stem.startswith("hf_depth_anything"):
        # Off the trained grid transformers resizes DINOv2's positions to a size, the official
        # code by a factor (grid + 0.1) / trained; we follow the official code in both layouts.
        cases.pop("wide", None)
    for case, images in cases.items():
        ours = intermediates(model, images)
        expected = depth_record.below(f"out.{case}.")
        filled = expected.pop("depth_sky_filled", None)
        errors = {
            name: relative_error(in_the_records_shape(ours, name, value), value)
            for name, value in expected.items()
        }
        assert "depth" in errors
        assert not {n: e for n, e in errors.items() if not e <= TOLERANCE}, case
        if filled is not None and len(images) == 1:  # the official code fills a batch as one
            ours_filled = fill_sky(ours["depth"], ours["sky"])
            assert relative_error(ours_filled, filled) <= TOLERANCE


def test_epsilons_are_the_official_ones(depth_record: Any, tmp_path: Path) -> None:
    # A wrong epsilon changes the depth by less than the tolerance above.
    family = depth_record.notes["family"]
    norms = {
        name: module
        for name, module in load_record(depth_record, tmp_path).net.named_modules()
        if isinstance(module, nn.LayerNorm | nn.GroupNorm)
    }
    assert any(isinstance(norm, nn.GroupNorm) for norm in norms.values()) == ("hybrid" in family)
    # What the decoder taps is normalised in Depth Anything alone.
    assert ("imgencoder.norm" in norms) == family.startswith("depth_anything")
    for name, norm in norms.items():
        wider = isinstance(norm, nn.GroupNorm) or "swin" in family
        if name == "imgencoder.norm":
            wider = family.startswith("depth_anything_3")
        assert norm.eps == (1e-5 if wider else 1e-6), name


def test_every_layout_and_number_format_has_a_record() -> None:
    tables = [
        json.loads(path.read_text())["seeded"] for path in (FIXTURES / "golden").glob("*_*.json")
    ]
    states = [{name.removeprefix("sd.").removeprefix("model.") for name in t} for t in tables]
    for family in FAMILIES:
        inner = [key for key in family.signature if "output_conv" not in key and "head" not in key]
        assert any(all(key in state for key in inner) for state in states), family.signature
    assert {"float16", "float32"} <= {entry[0] for table in tables for entry in table.values()}


def test_sides_off_the_patch_grid_are_refused(tmp_path: Path) -> None:
    model = dpt_core.load(write_depth_anything(tmp_path / "depth_anything_v2.safetensors"))
    for size in ((56, 80), (60, 84)):
        with pytest.raises(ValueError, match="multiple of 14"):
            model.net(torch.zeros(1, 3, *size))
