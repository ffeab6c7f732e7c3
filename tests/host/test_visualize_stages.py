"""Visualize Stages inside a host, in this process."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from dpt_core.stages import FeatureSpec, extract_features

NODE = "DPTVisualizeStages"
CHANNEL_MESSAGE = "stage 1 has 64 channels; choose 0 to 63"


def photographs(count: int = 2, height: int = 45, width: int = 61) -> Tensor:
    """B×H×W×3 in [0, 1], smooth and different in every frame."""
    generator = torch.Generator().manual_seed(7)
    coarse = torch.rand(count, 3, 5, 7, generator=generator)
    fine = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bilinear")
    return fine.movedim(1, -1).contiguous()


@pytest.fixture
def hosted(load: Any, tiny: str) -> Any:
    """A tiny model as Load DPT Checkpoint gives it."""
    return load(tiny).result[0]


@pytest.fixture
def visualize(
    host: Any, hosted: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """A function that runs the node: (features, visualization, **other inputs) → its output."""
    monkeypatch.setattr(host.files, "get_temp_directory", lambda: str(tmp_path / "temp"))

    def run(features: Any = "stages", visualization: Any = "PCA", **inputs: Any) -> Any:
        if not isinstance(features, dict):
            features = {"features": features}
        if not isinstance(visualization, dict):
            visualization = {"visualization": visualization}
        defaults = {
            "model": hosted,
            "image": photographs(),
            "x": 0.5,
            "y": 0.5,
            "colormap": "viridis",
            "map_size": "map",
            "resampling": "nearest",
            "resolution": 70,
            "tile_width": 120,
        }
        choices = {"features": features, "visualization": visualization}
        return host.run(NODE, **{**defaults, **choices, **inputs})

    return run


def feature_options(host: Any) -> list[str]:
    inputs = host.nodes[NODE].GET_SCHEMA().inputs
    features = next(i for i in inputs if i.id == "features")
    return [option.key for option in features.options]


def test_every_part_makes_a_sheet_maps_and_depth(host, hosted, visualize):
    expected = hosted.model.infer(photographs().movedim(-1, 1), 70, 1).values
    counts = {"stages": 4, "all blocks": 12, "reassembled maps": 4, "fused maps": 4}
    counts["head maps"] = 2
    for features in feature_options(host):
        sheet, maps, depth = visualize(features).result
        assert len(sheet) == 2
        assert sheet.shape[-1] == 3
        assert len(maps) == 2 * counts.get(features, 1)
        for pictures in (sheet, maps):
            assert pictures.min() >= 0
            assert pictures.max() <= 1
            assert pictures.std() > 0.01, features
        assert torch.equal(depth.values, expected)


@pytest.mark.parametrize(
    "visualization",
    [
        "PCA",
        {"visualization": "PCA", "shared_fit": True},
        "similarity",
        {"visualization": "clusters", "clusters": 3, "shared_fit": True},
        "norm",
        "mean",
        {"visualization": "channel", "channel": 63},
    ],
)
def test_every_visualization_of_the_stages(visualize, visualization):
    _, maps, _ = visualize("stages", visualization).result
    assert maps.shape == (8, 5, 7, 3)
    assert maps.std() > 0.05


def test_maps_come_frame_by_frame_and_in_the_requested_size(hosted, visualize):
    style = {"visualization": "channel", "channel": 3}
    images = photographs().movedim(-1, 1)
    stages = extract_features(hosted.model, images, FeatureSpec("stages"), resolution=70).maps
    _, maps, _ = visualize("stages", style, colormap="grey").result
    for number, picture in enumerate(maps):
        values = stages[number % 4].values[:, 3]
        unit = (values - values.min()) / (values.max() - values.min())
        torch.testing.assert_close(picture[..., 0].cpu().float(), unit[number // 4])
    _, nearest, _ = visualize("stages", style, colormap="grey", map_size="image").result
    assert nearest.shape == (8, 45, 61, 3)
    assert set(nearest[0, ..., 0].unique().tolist()) == set(maps[0, ..., 0].unique().tolist())
    blended = visualize("stages", style, map_size="image", resampling="bilinear").result[1]
    assert len(blended[0, ..., 0].unique()) > 100


def test_too_many_images_for_the_memory_are_refused(host, visualize, monkeypatch):
    monkeypatch.setattr(host.pack.nodes.host.memory, "free_cpu_memory", lambda: 1000)
    with pytest.raises(ValueError, match="Use fewer images at a time"):
        visualize("stages")


def test_maps_of_several_sizes_take_the_finest(visualize):
    _, maps, _ = visualize("reassembled maps").result
    assert maps.shape == (8, 20, 28, 3)  # ×4 of the 5×7 patches


def test_attention_follows_its_inputs(visualize):
    def attention(**inputs: Any) -> Tensor:
        point = {name: inputs.pop(name) for name in ("x", "y") if name in inputs}
        return visualize({"features": "attention", **inputs}, **point).result[1]

    first = attention(block=1)
    assert not torch.equal(first, attention(block=2))
    assert not torch.equal(first, attention(block=1, query="average"))
    assert not torch.equal(first, attention(block=1, x=0.0, y=1.0))
    assert torch.equal(
        attention(block=1, query="cls token"),
        attention(block=1, query="cls token", x=0.0, y=1.0),
    )
    assert torch.equal(attention(), attention(block=12))


def test_ablations_change_the_depth_of_their_run_alone(visualize):
    before = visualize("depth").result[2].values
    for inputs in ({"stage_1": 0.0}, {"stage_4": 3.0}, {"skip_block": 5}):
        assert not torch.equal(visualize("depth", **inputs).result[2].values, before), inputs
    assert torch.equal(visualize("depth").result[2].values, before)


@pytest.mark.parametrize(
    ("features", "visualization", "message"),
    [
        (
            {"features": "one block", "block": 13},
            "norm",
            "this model has 12 blocks; choose 1 to 12",
        ),
        ({"features": "attention", "head": 2}, "norm", "this block has 1 heads"),
        (
            "stages",
            {"visualization": "channel", "channel": 64},
            "stage 1 has 64 channels; choose 0 to 63",
        ),
    ],
)
def test_errors_name_what_is_missing(visualize, features, visualization, message):
    with pytest.raises(ValueError, match=message):
        visualize(features, visualization)


def test_the_explorers_file_is_written_once_and_only_when_wanted(visualize, tmp_path):
    output = visualize()
    (entry,) = output.ui["dpt_stages"]
    file = tmp_path / "temp" / entry["filename"]
    assert entry == {"filename": file.name, "subfolder": "", "type": "temp"}
    content = file.read_bytes()
    length = int.from_bytes(content[4:8], "little")
    kinds = [entry["kind"] for entry in json.loads(content[8 : 8 + length])["maps"]]
    assert kinds == ["patches", *["stage"] * 4, *["block"] * 12]
    visualize("attention", "norm")
    assert len(list((tmp_path / "temp").iterdir())) == 1
    assert not visualize(explorer=False).ui


def test_images_with_alpha_in_half_precision_stay_as_they_are(visualize):
    image = torch.cat([photographs(1), torch.ones(1, 45, 61, 1)], dim=-1).half()
    copy = image.clone()
    sheet, maps, _ = visualize(image=image).result
    assert sheet.shape[-1] == maps.shape[-1] == 3
    assert torch.equal(image, copy)


def test_cancelling_ends_the_run_without_hooks_left(host, hosted, visualize):
    host.management.interrupt_current_processing(True)
    with pytest.raises(host.management.InterruptProcessingException):
        visualize()
    assert not any(m._forward_hooks for m in hosted.model.net.modules())
