"""What the weights do not tell: which source wins, and what the published names mean."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from dpt_core import CheckpointError
from dpt_core.checkpoint import published
from dpt_core.checkpoint.hints import Hint
from dpt_core.checkpoint.published import PublishedFile
from dpt_core.loading import inspect
from tests.builders import write_depth_anything
from tests.published import write_header


def hints(path: Path, **overrides: Any) -> dict[str, Hint[Any]]:
    return {hint.name: hint for hint in inspect(path, **overrides).hints}


def write_config(folder: Path, **fields: Any) -> None:
    config = {"model_type": "depth_anything", **fields}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


# Path as it is published or repacked, version, metres at the far end.
NAMES = [
    ("depth_anything_vits14.pth", "v1", None),
    ("LiheYoung/depth_anything_vitl14/pytorch_model.bin", "v1", None),
    ("LiheYoung/depth-anything-base-hf/model.safetensors", "v1", None),
    ("depth_anything_v1_vits.safetensors", "v1", None),
    ("depth_anything_v2_vits.pth", "v2", None),
    ("depth_anything_v2_vitl_fp16.safetensors", "v2", None),
    ("DepthAnythingV2/vitb.safetensors", "v2", None),
    ("depth-anything/Depth-Anything-V2-Small-hf/model.safetensors", "v2", None),
    ("depth_anything_v2_metric_hypersim_vits.pth", "v2", 20.0),
    ("depth_anything_v2_metric_hypersim_vitl_fp32.safetensors", "v2", 20.0),
    ("depth_anything_v2_vitl_metric_hypersim.safetensors", "v2", 20.0),
    ("depth_anything_v2_metric_vkitti_vitb.pth", "v2", 80.0),
    ("depth_anything_v2_vitl_metric_vkitti.safetensors", "v2", 80.0),
    ("depth-anything/Depth-Anything-V2-Metric-Indoor-Base-hf/model.safetensors", "v2", 20.0),
    ("depth-anything/Depth-Anything-V2-Metric-Outdoor-Large-hf/model.safetensors", "v2", 80.0),
    (
        "models--LiheYoung--depth-anything-small-hf/snapshots/0f3c/model.safetensors",
        "v1",
        None,
    ),
    ("xingyang1/Distill-Any-Depth/large/model.safetensors", "v2", None),
    ("depth_anything_AC_vits.pth", "v2", None),
    ("depth-anything-large-v2.safetensors", "v2", None),
    ("depth_anything_small_v2_fp16.safetensors", "v2", None),
    ("depth-anything-small-v1.safetensors", "v1", None),
    ("outdoor/depth_anything_v2_vits_nonmetric_outdoor.pth", "v2", None),
    ("depth_anything_v2_vits_outdoor_metric.pth", "v2", 80.0),
    ("metric/depth_anything_v2_vits.pth", "v2", None),
]


@pytest.mark.parametrize(("name", "variant", "max_depth"), NAMES)
def test_published_names_give_version_and_range(
    name: str, variant: str, max_depth: float | None, depth_anything_header: Any, tmp_path: Path
) -> None:
    found = hints(write_header(tmp_path / "here" / name, depth_anything_header))
    assert found["variant"].value == variant
    assert found["max_depth"].value == max_depth
    assert "name" in found["variant"].evidence
    assert not found["variant"].is_default
    assert inspect(tmp_path / "here" / name).config.max_depth == max_depth


@pytest.mark.parametrize(
    "name",
    ["depth_anything_v2_metric_vits.pth", "Depth-Anything-V2-Metric-Small/model.safetensors"],
)
def test_a_metric_name_without_a_range_asks_for_it(
    name: str, depth_anything_header: Any, tmp_path: Path
) -> None:
    path = write_header(tmp_path / "here" / name, depth_anything_header)
    with pytest.raises(
        CheckpointError, match=r"does not say its maximum depth\. Set max_depth: 20"
    ):
        inspect(path)
    assert inspect(path, max_depth=20).config.max_depth == 20


def test_a_name_that_says_nothing_gives_the_named_default(
    depth_anything_header: Any, tmp_path: Path
) -> None:
    path = write_header(tmp_path / "models" / "depth" / "model.safetensors", depth_anything_header)
    found = hints(path)
    assert found["variant"].value == "v2"
    assert found["variant"].is_default
    assert "no evidence" in found["variant"].evidence
    assert found["max_depth"].value is None
    assert found["max_depth"].is_default
    assert "no evidence of a metric model" in found["max_depth"].evidence
    assert "no evidence" in inspect(path).summary()


def test_argument_before_hash_before_config_before_metadata_before_name(
    depth_anything_header: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "models" / "depth_anything_v2_metric_vkitti.safetensors"

    def found(**overrides: Any) -> tuple[Any, ...]:
        both = hints(path, **overrides)
        evidence = {both["variant"].evidence.split()[0], both["max_depth"].evidence.split()[0]}
        assert len(evidence) == 1  # both from one source
        return both["variant"].value, both["max_depth"].value, evidence.pop()

    write_header(path, depth_anything_header)
    assert found() == ("v2", 80.0, "the")  # name
    notes = {"title": "Depth-Anything-Small", "max_depth": "10"}
    write_header(path, depth_anything_header, notes)
    assert found() == ("v1", 10.0, "the")
    assert "metadata" in hints(path)["variant"].evidence
    assert "metadata" in hints(path)["max_depth"].evidence
    write_config(
        path.parent,
        depth_estimation_type="metric",
        max_depth=30,
        backbone_config={"out_indices": [3, 6, 9, 12]},
    )
    assert found() == ("v2", 30.0, "config.json")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    entry = PublishedFile("x_vits.pth", "Apache-2.0", path.stat().st_size, digest, "v1", 20.0)
    monkeypatch.setattr(published, "PUBLISHED", (entry,))
    assert found() == ("v1", 20.0, "published")
    assert "x_vits.pth" in hints(path)["variant"].evidence
    assert found(variant="v2", max_depth=5) == ("v2", 5.0, "chosen")


def test_a_file_of_a_published_size_with_another_hash_is_not_the_published_one(
    depth_anything_header: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_header(tmp_path / "depth_anything_v2_vits.safetensors", depth_anything_header)
    entry = PublishedFile("x.pth", "Apache-2.0", path.stat().st_size, "0" * 64, "v1", 20.0)
    monkeypatch.setattr(published, "PUBLISHED", (entry,))
    assert hints(path)["variant"].value == "v2"


@pytest.mark.parametrize(
    ("taps", "variant"),
    [
        ([3, 6, 9, 12], "v2"),
        ([9, 10, 11, 12], "v1"),
        ("stage12", None),
        ([21, 22, 23, 24], None),  # of a larger model
    ],
)
def test_config_tells_the_version_by_its_taps(
    taps: Any, variant: str | None, depth_anything_header: Any, tmp_path: Path
) -> None:
    path = write_header(tmp_path / "models" / "model.safetensors", depth_anything_header)
    write_config(
        path.parent, depth_estimation_type="relative", backbone_config={"out_indices": taps}
    )
    found = hints(path)
    assert found["variant"].value == (variant or "v2")
    assert found["variant"].is_default == (variant is None)
    assert found["max_depth"].evidence == "config.json says relative"
    assert not found["max_depth"].is_default


@pytest.mark.parametrize(
    ("name", "is_its"),
    [("model.safetensors", True), ("pytorch_model.bin", True), ("vits.safetensors", False)],
)
def test_config_is_that_of_the_files_that_are_named_like_its_own(
    name: str, is_its: bool, depth_anything_header: Any, tmp_path: Path
) -> None:
    write_header(tmp_path / "models" / "another.safetensors", depth_anything_header)
    path = write_header(tmp_path / "models" / name, depth_anything_header)
    write_config(path.parent, depth_estimation_type="metric", max_depth=20)
    assert hints(path)["max_depth"].is_default != is_its


@pytest.mark.parametrize(
    "text",
    [
        '{"model_type": "llama", "backbone_config": {"out_indices": [9, 10, 11, 12]}}',
        '{"model_type": "depth_anything", "backbone_config": 7, "max_depth": "far"}',
        "[1, 2]",
        "{",
        "",
    ],
)
def test_other_and_damaged_configs_are_no_evidence(
    text: str, depth_anything_header: Any, tmp_path: Path
) -> None:
    path = write_header(tmp_path / "models" / "model.safetensors", depth_anything_header)
    (path.parent / "config.json").write_text(text)
    found = hints(path)
    assert found["variant"].is_default
    assert found["max_depth"].is_default


def test_normalisation_comes_from_the_preprocessor_if_there_is_one(
    depth_anything_header: Any, tmp_path: Path
) -> None:
    path = write_header(tmp_path / "models" / "model.safetensors", depth_anything_header)
    other = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 1]}
    (path.parent / "preprocessor_config.json").write_text(json.dumps(other))
    assert inspect(path).config.image.mean == (0.485, 0.456, 0.406)  # whose is it?
    write_config(path.parent)
    rule = inspect(path).config.image
    assert (rule.mean, rule.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 1.0))


def test_v2_is_defined_for_three_block_counts(tmp_path: Path) -> None:
    path = write_depth_anything(tmp_path / "depth_anything_v2_tiny.safetensors", blocks=6)
    assert hints(path)["variant"].value == "v1"
    assert "6 blocks" in hints(path)["variant"].evidence
    with pytest.raises(CheckpointError, match=r"6 blocks.*12, 24, 40.*'v1'"):
        inspect(path, variant="v2")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"variant": "v3"}, "'v1' or 'v2'"),
        ({"max_depth": 0}, "above 0"),
        ({"max_depth": float("nan")}, "above 0"),
        ({"max_depth": float("inf")}, "above 0"),
        ({"pretrained_window": 12}, "pretrained_window"),
    ],
)
def test_impossible_requests_are_refused(
    overrides: dict[str, Any], message: str, depth_anything_header: Any, tmp_path: Path
) -> None:
    path = write_header(tmp_path / "depth_anything_v2.safetensors", depth_anything_header)
    with pytest.raises(CheckpointError, match=message):
        inspect(path, **overrides)


def test_depth_anything_3_is_metric_by_name_alone(
    manifests: dict[str, Any], tmp_path: Path
) -> None:
    header = manifests["depth-anything/DA3MONO-LARGE"]["state_dict"]
    for name, metric, is_default in (
        ("DA3METRIC-LARGE/model", True, False),
        ("da3mono-large", False, False),
        ("models/model", False, True),
        ("geometric/model", False, True),
        ("volumetric/symmetric", False, True),
    ):
        path = write_header(tmp_path / "here" / f"{name}.safetensors", header)
        assert (hints(path)["metric"].value, hints(path)["metric"].is_default) == (
            metric,
            is_default,
        )
    with pytest.raises(CheckpointError, match=r"max_depth .*Leave it unset"):
        inspect(path, max_depth=20)


def test_swin_windows(manifests: dict[str, Any], tmp_path: Path) -> None:
    header = manifests["Intel/dpt-swinv2-base-384"]["state_dict"]
    path = write_header(tmp_path / "models" / "model.safetensors", header)
    found = hints(path)
    assert (found["window"].value, found["side"].value) == (24, 384)
    assert found["window"].is_default
    assert found["pretrained_window"].value == (12, 12, 12, 6)
    assert found["pretrained_window"].is_default
    assert hints(path, pretrained_window=7)["pretrained_window"].value == (7, 7, 7, 7)
    assert hints(path, pretrained_window=[9, 8, 7, 6])["pretrained_window"].value == (9, 8, 7, 6)
    for wrong in ([1, 2, 3], -1, [1, 2, 3, "4"]):
        with pytest.raises(CheckpointError, match="one whole number"):
            inspect(path, pretrained_window=wrong)
    windows = {"window_size": 12, "pretrained_window_sizes": [6, 6, 6, 3]}
    write_config(path.parent, model_type="dpt", backbone_config=windows)
    found = hints(path)
    assert found["window"].value == 12
    assert found["pretrained_window"].value == (6, 6, 6, 3)
    assert "config.json" in found["pretrained_window"].evidence
    # The official layout holds masks, whose shape tells windows and side whatever the name.
    header = manifests["dpt_swin2_tiny_256"]["state_dict"]
    found = hints(write_header(tmp_path / "other" / "dpt_swin2_large_384.safetensors", header))
    assert (found["window"].value, found["side"].value) == (16, 256)
    assert "masks" in found["window"].evidence
