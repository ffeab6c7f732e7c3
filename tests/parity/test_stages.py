"""What Visualize Stages shows, against the official implementations."""

from pathlib import Path
from typing import Any

import pytest
import torch

from dpt_core import SwinConfig
from dpt_core.stages import FeatureSpec
from dpt_core.stages.feature_map import FeatureName
from dpt_core.stages.intermediates import capture_features
from tests.parity.records import load_record, relative_error

TOLERANCE = 1e-4
RECORDED: dict[FeatureName, str] = {
    "patches": "patch_embed",
    "stages": "stage",
    "reassembled": "reassembly",
    "fused": "fusion",
    "head": "head_proj",
}


def test_maps_match_and_depth_stays_bit_identical(depth_record: Any, tmp_path: Path) -> None:
    recorded = {name.partition(".")[2].rstrip("1234") for name in depth_record.below("out.")}
    if not recorded & {"stage", "reassembly", "fusion"}:
        pytest.skip("this record has nothing of what is inside")
    model = load_record(depth_record, tmp_path)
    cases = depth_record.below("in.")
    if depth_record.path.stem.startswith("hf_depth_anything"):
        cases.pop("wide", None)  # transformers resizes positions in another way
    encoder = model.config.encoder
    patch = encoder.patch if isinstance(encoder, SwinConfig) else encoder.multiple
    compared = 0
    for case, images in cases.items():
        grid = (images.shape[2] // patch, images.shape[3] // patch)
        expected = depth_record.below(f"out.{case}.")
        with torch.no_grad():
            depth = model.net(images)
        for feature, name in RECORDED.items():
            with torch.no_grad(), capture_features(model.net, FeatureSpec(feature), grid) as maps:
                assert torch.equal(model.net(images), depth)
            for i, stage in enumerate(maps, start=1):
                wanted = expected.get(
                    f"{name}{i}" if name in ("stage", "reassembly", "fusion") else name
                )
                if wanted is None or (feature == "head" and i > 1):
                    continue
                ours = stage.values
                if wanted.ndim == 3:
                    ours = ours.flatten(2).mT
                    wanted = wanted[:, wanted.shape[1] - ours.shape[1] :]  # some have a cls token
                elif wanted.shape != ours.shape:
                    ours = ours.movedim(1, -1)
                assert relative_error(ours, wanted) <= TOLERANCE, (case, stage.label)
                compared += 1
    assert compared >= 4
