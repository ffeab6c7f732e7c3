"""Align Depth and Remove Plane, in this process."""

import json
from typing import Any

import pytest
import torch


@pytest.fixture
def metres() -> torch.Tensor:
    return 1 + torch.arange(600.0).reshape(1, 20, 30) / 100


@pytest.fixture
def relative(host, metres) -> Any:
    return host.pack.dpt_core.Depth(12 / metres - 1, "inverse")


def align(host: Any, depth: Any, to: str, **inputs: Any) -> Any:
    others = {name: inputs.pop(name) for name in ("other", "mask") if name in inputs}
    return host.run("DPTAlignDepth", depth=depth, to={"to": to, **inputs}, **others).result[0]


def test_points(host, relative, metres):
    text = "\n".join(f"x={x} y={y}: {metres[0, y, x]} m" for x, y in ((2, 3), (20, 15)))
    aligned = align(host, relative, "points", points=f"{text}\n\n")
    assert aligned.kind == "metres"
    torch.testing.assert_close(aligned.values, metres)


def test_points_as_json(host, relative, metres):
    points = [{"x": x, "y": y, "metres": float(metres[0, y, x])} for x, y in ((2, 3), (20, 15))]
    aligned = align(host, relative, "points", points=json.dumps(points))
    torch.testing.assert_close(aligned.values, metres)


def test_the_editor_gets_the_image_to_click_on(host, relative, metres, tmp_path, monkeypatch):
    monkeypatch.setattr(host.files, "get_temp_directory", lambda: str(tmp_path / "temp"))
    to = {"to": "points", "points": f"2, 3, {metres[0, 3, 2]}\n20, 15, {metres[0, 15, 20]}"}
    inputs = {"depth": relative, "to": to}
    output = host.run("DPTAlignDepth", **inputs, image=torch.rand(1, 20, 30, 4))
    torch.testing.assert_close(output.result[0].values, metres)
    (sent,) = output.ui["dpt_align"]
    assert sent["size"] == {"width": 30, "height": 20}
    assert (tmp_path / "temp" / sent["image"]["filename"]).stat().st_size
    assert host.run("DPTAlignDepth", **inputs).ui is None
    none_yet = host.run(
        "DPTAlignDepth",
        depth=relative,
        to={"to": "points", "points": "\n"},
        image=torch.rand(1, 20, 30, 3),
    )
    assert "there are no points yet" in none_yet.block_execution
    assert none_yet.ui["dpt_align"][0]["image"]
    with pytest.raises(ValueError, match="The image is 20×30 pixels and the depth 30×20"):
        host.run("DPTAlignDepth", **inputs, image=torch.rand(1, 30, 20, 3))


def test_a_surface(host, metres):
    depth = host.pack.dpt_core.Depth(5 / metres, "inverse")
    mask = torch.zeros(1, 20, 30)
    mask[0, 4, 5] = 1
    known = float(metres[0, 4, 5])
    aligned = align(host, depth, "masked surface", metres=known, mask=mask)
    torch.testing.assert_close(aligned.values, metres)


def test_a_mask_of_another_size_is_fitted(host, metres):
    depth = host.pack.dpt_core.Depth(5 / metres, "inverse")
    mask = torch.zeros(40, 60)
    mask[8:10, 10:12] = 1
    known = float(metres[0, 4, 5])
    aligned = align(host, depth, "masked surface", metres=known, mask=mask)
    torch.testing.assert_close(aligned.values, metres)


def test_an_empty_mask_is_none(host, relative, metres):
    other = host.pack.dpt_core.Depth(metres, "metres")
    for mask in (None, torch.zeros(1, 64, 64)):  # what Load Image gives with most pictures
        aligned = align(host, relative, "other depth", robust=True, other=other, mask=mask)
        torch.testing.assert_close(aligned.values, metres)
        flat, _ = host.run("DPTRemovePlane", depth=relative, mask=mask).result
        assert torch.isfinite(flat.values).all()


def test_another_map(host, relative, metres):
    other = host.pack.dpt_core.Depth(metres, "metres")
    for robust in (True, False):
        aligned = align(host, relative, "other depth", robust=robust, other=other)
        torch.testing.assert_close(aligned.values, metres)


@pytest.mark.parametrize(
    ("to", "inputs", "sentence"),
    [
        ("points", {"points": "10, 20"}, "'10, 20' of the points holds 2 numbers"),
        ("points", {"points": "10, 20, ?"}, "'10, 20, .' of the points holds 2 numbers"),
        ("points", {"points": " \n"}, "no points"),
        ("points", {"points": "[]"}, "no points"),
        ("points", {"points": "[{]"}, "The points are not valid JSON"),
        ("points", {"points": '[{"x": 1, "y": 2}]'}, r'contain {"x": 1, "y": 2}; x, y and metres'),
        ("points", {"points": "[3]"}, "contain 3; x, y and metres"),
        ("points", {}, r"to\.points is missing"),
        ("masked surface", {"metres": 2.0}, "Nothing is masked"),
        ("masked surface", {"metres": 2.0, "mask": torch.zeros(1, 64, 64)}, "Nothing is masked"),
        ("other depth", {"robust": True}, "no other depth"),
    ],
)
def test_bad_input_gets_a_sentence(host, relative, to, inputs, sentence):
    with pytest.raises(ValueError, match=sentence):
        align(host, relative, to, **inputs)


def test_the_plane_is_a_mask(host):
    values = torch.arange(20.0).unsqueeze(1).expand(20, 30).clone()
    values[5:9, 5:9] += 30
    depth = host.pack.dpt_core.Depth(values.unsqueeze(0), "inverse")
    flat, plane = host.run("DPTRemovePlane", depth=depth).result
    assert plane.dtype == torch.float32
    assert plane.sum() == 600 - 16
    assert flat.values[0, 6, 6] == pytest.approx(30, abs=1e-3)
