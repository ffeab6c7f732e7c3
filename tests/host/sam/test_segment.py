"""Segment: points and boxes to masks."""

import io
import json
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

import dpt_core


def text(points: list[Any] = [], boxes: list[Any] = []) -> str:  # noqa: B006
    """The editor's JSON of points (x, y, label) and boxes (x, y, width, height)."""
    names = ("x", "y", "width", "height")
    return json.dumps(
        {
            "points": [dict(zip(("x", "y", "label"), point, strict=True)) for point in points],
            "boxes": [dict(zip(names, box, strict=True)) for box in boxes],
        }
    )


def overlap(one: Tensor, other: Tensor) -> float:
    """Intersection over union of two masks."""
    one, other = one.bool(), other.bool()
    return float((one & other).sum() / (one | other).sum())


def test_a_click_gives_the_librarys_mask(segment, sam_file, discs):
    masks, iou, preview = segment(text([(discs.red[0], discs.red[1], 1)])).result
    model = dpt_core.load_sam(sam_file)
    embedding = model.encode_image(discs.picture().movedim(-1, 1))
    wanted = model.predict(embedding, torch.tensor([[discs.red[:2]]]), torch.ones(1, 1))
    best = int(wanted.iou.argmax())
    assert masks.shape == (1, *discs.size)
    assert masks.dtype == torch.float32
    assert torch.equal(masks[0].bool(), wanted.masks[0, best])
    assert iou == pytest.approx([float(wanted.iou[0, best])])
    assert overlap(masks[0], discs.mask(discs.red)) > 0.6
    assert preview.shape == (1, *discs.size, 3)
    outside = ~masks[0].bool()
    assert torch.equal(preview[0][outside], discs.picture()[0][outside])
    assert not torch.isclose(preview[0][~outside], discs.picture()[0][~outside]).all(dim=1).any()


def test_every_object_gets_what_it_gets_alone(segment):
    """Also those that go through the network together, and in the order of the prompts."""
    boxes = [(60, 30, 60, 60), (10, 15, 50, 50), (70, 2, 50, 20), (65, 0, 60, 95)]
    points = [(120, 94, 1), (90, 60, 1), (90, 10, 0), (68, 50, 1)]
    masks, iou, _ = segment(text(points, boxes)).result
    alone = [
        segment(text([points[1], points[3]], [boxes[0]])),  # both are in the last box as well
        segment(text([], [boxes[1]])),
        segment(text([points[2]], [boxes[2]])),
        segment(text([points[0]], [boxes[3]])),
    ]
    assert len(masks) == len(alone)
    for mask, quality, single in zip(masks, iou, alone, strict=True):
        torch.testing.assert_close(mask, single.result[0][0])
        assert quality == pytest.approx(single.result[1][0], abs=1e-4)
    assert len({round(quality, 3) for quality in iou}) == len(alone)


def test_free_points_are_one_object_or_one_each(segment, discs):
    points = [(discs.red[0], discs.red[1], 1), (discs.blue[0], discs.blue[1], 1), (5, 90, 0)]
    together, _, _ = segment(text(points)).result
    each, iou, _ = segment(text(points), points_mark="an object each").result
    assert len(together) == 1
    assert len(each) == 2
    for number in range(2):
        single, quality, _ = segment(text([points[number], points[2]])).result
        torch.testing.assert_close(each[number], single[0])
        assert iou[number] == pytest.approx(quality[0], abs=1e-4)


def test_background_outside_of_boxes_counts_for_all(segment, discs):
    point, background, box = (discs.blue[0], discs.blue[1], 1), (5, 90, 0), (10, 15, 50, 50)
    _, without, _ = segment(text([point], [box])).result
    _, iou, _ = segment(text([point, background], [box])).result
    assert abs(iou[0] - without[0]) > 1e-3
    assert abs(iou[1] - without[1]) > 1e-3


def test_candidates(segment, discs):
    one = text([(discs.red[0], discs.red[1], 1)])
    two = text([(discs.red[0], discs.red[1], 1), (discs.red[0] + 5, discs.red[1], 1)])
    masks, iou, _ = segment(one, candidates="all three").result
    best = max(range(3), key=lambda number: iou[number])
    assert len(masks) == len(iou) == 3
    for choice, prompts, same in [
        ("best of three", one, "auto"),
        ("single", two, "auto"),
    ]:
        chosen = segment(prompts, candidates=choice).result
        assert torch.equal(chosen[0], segment(prompts, candidates=same).result[0])
    assert torch.equal(segment(one).result[0][0], masks[best])


def test_merge_gives_one_mask_an_image(segment, discs):
    batch = torch.cat([discs.picture(), discs.picture(6)])
    points = text([(discs.red[0], discs.red[1], 1), (discs.blue[0], discs.blue[1], 1)])
    apart = segment(points, batch, points_mark="an object each").result
    one = segment(points, batch, points_mark="an object each", merge=True).result
    assert apart[0].shape == (4, *discs.size)
    assert one[0].shape == (2, *discs.size)
    assert torch.equal(one[0][1], torch.maximum(apart[0][2], apart[0][3]))
    assert one[1] == pytest.approx([min(apart[1][:2]), min(apart[1][2:])])


def test_nothing_marked_is_an_empty_mask_at_once(segment, managed, monkeypatch, discs):
    monkeypatch.setattr(type(managed.model), "encode_image", lambda *_: pytest.fail("it went on"))
    output = segment(image=torch.cat([discs.picture(), discs.picture()]))
    masks, iou, preview = output.result
    assert masks.shape == (2, *discs.size)
    assert not masks.any()
    assert iou == [0.0, 0.0]
    torch.testing.assert_close(preview[0], discs.picture()[0])
    assert output.ui["dpt_segment"][0]["count"] == 2
    assert output.ui["dpt_segment"][0]["masks"] is None  # and yet there is a picture to click on


def test_boxes_and_points_from_other_nodes(segment, discs):
    box = {"x": 10, "y": 15, "width": 50, "height": 50}
    other = {"x": 60, "y": 30, "width": 60, "height": 60}
    batch = torch.cat([discs.picture(), discs.picture(6)])
    wanted = segment(text(boxes=[tuple(box.values())]), batch).result[0]
    for given in (box, [box], [[box], [box]], [[box]]):
        assert torch.equal(segment(image=batch, bboxes=given).result[0], wanted)
    assert torch.equal(segment(image=batch, bboxes=[[box], [other]]).result[0][0], wanted[0])
    assert segment(image=batch, bboxes=[[box], [box, other]]).result[0].shape[0] == 3
    assert not segment(image=batch, bboxes=[[], []]).result[0].any()
    beyond = box | {"x": -20, "width": 80}
    inside = segment(text(boxes=[(0, 15, 60, 50)])).result[0]
    assert torch.equal(segment(bboxes=beyond).result[0], inside)
    typed = segment(text([(discs.red[0], discs.red[1], 1), (5, 90, 0)])).result[0]
    red, far = json.dumps([{"x": discs.red[0], "y": discs.red[1]}]), json.dumps([{"x": 5, "y": 90}])
    assert torch.equal(segment(positive_coords=red, negative_coords=far).result[0], typed)


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"prompts": "{oops"}, r"prompts is not valid JSON \(.* line 1, column 2\)"),
        ({"prompts": "[1]"}, r"prompts is a JSON list; the form \{.*\} was expected"),
        ({"prompts": '{"points": 3}'}, r"prompts\.points is a JSON number; a list"),
        ({"prompts": '{"points": [7]}'}, r"Point 0 is 7; numbers for x, y were expected"),
        ({"prompts": '{"points": [{"x": 1, "y": NaN}]}'}, "Point 0 is .* numbers for x, y"),
        ({"prompts": text([(5, 5, 3)])}, "label of point 0 is 3; 1 .foreground. or 0"),
        ({"prompts": '{"boxes": [{"x": 1, "y": 2, "width": "a", "height": 3}]}'}, "Box 0 is "),
        ({"prompts": text([(5, 5, 0)])}, "only background points; add a foreground"),
        ({"prompts": text([(500, 5, 1)])}, r"x = 500, y = 5, outside the image of 128×96 pixels"),
        ({"prompts": text(boxes=[(5, 5, 0, 9)])}, r"x = 5, y = 5 is 0×9 pixels and has no area"),
        ({"prompts": text(boxes=[(200, 5, 9, 9)])}, "box of 9×9 pixels is at x = 200, .* outside"),
        ({"positive_coords": '{"x": 1}'}, "positive_coords is a JSON object; a list"),
        ({"negative_coords": '[{"x": 1}]'}, "Entry 0 of negative_coords is "),
        ({"bboxes": "everywhere"}, "Bounding box 0 is "),
    ],
)
def test_bad_prompts_are_one_sentence(segment, managed, monkeypatch, inputs, sentence):
    monkeypatch.setattr(type(managed.model), "encode_image", lambda *_: pytest.fail("it went on"))
    with pytest.raises(ValueError, match=sentence) as caught:
        segment(**inputs)
    assert "\n" not in str(caught.value)


def test_text_is_checked_before_anything_runs(host):
    validate = host.nodes["DPTSegment"].validate_inputs
    assert validate(prompts=text([(1, 2, 1)])) is True
    assert validate(prompts="") is True
    assert validate(prompts=None) is True
    assert "not valid JSON" in validate(prompts="{oops")


def test_another_point_costs_no_second_look_at_the_image(segment, managed, monkeypatch, discs):
    looked: list[int] = []
    original = type(managed.model).encode_image

    def spy(self: Any, images: Tensor, *rest: Any) -> Any:
        looked.append(len(images))
        return original(self, images, *rest)

    monkeypatch.setattr(type(managed.model), "encode_image", spy)
    segment(text([(discs.red[0], discs.red[1], 1)]))
    second = segment(text([(discs.blue[0], discs.blue[1], 1)]), discs.picture().clone()).result[0]
    assert len(looked) == 1
    assert overlap(second[0], discs.mask(discs.blue)) > 0.6
    segment(text([(discs.blue[0], discs.blue[1], 1)]), discs.picture(3))
    assert len(looked) == 2
    for shift in range(-9, 0):  # only so many are kept
        segment(text([(discs.blue[0], discs.blue[1], 1)]), discs.picture(shift))
    segment(text([(discs.red[0], discs.red[1], 1)]))
    assert len(looked) == 12


def test_alpha_half_precision_and_no_change_in_place(segment, discs):
    prompts = text([(discs.red[0], discs.red[1], 1)])
    plain = segment(prompts).result[0]
    with_alpha = torch.cat([discs.picture(), torch.rand(1, *discs.size, 1)], dim=-1)
    for image in (with_alpha, discs.picture().half()):
        before = image.clone()
        masks, _, preview = segment(prompts, image).result
        assert overlap(masks, plain) > 0.98
        assert preview.shape == (1, *discs.size, 3)
        assert torch.equal(image, before)


def test_pictures_for_the_editor(segment, tmp_path, discs):
    large = torch.nn.functional.interpolate(discs.picture().movedim(-1, 1), (900, 2000))
    output = segment(text([(500, 400, 1)]), large.movedim(1, -1))
    (sent,) = output.ui["dpt_segment"]
    assert sent["size"] == {"width": 2000, "height": 900}
    files = [tmp_path / "temp" / sent[name]["filename"] for name in ("image", "masks")]
    photo, layer = (Image.open(io.BytesIO(path.read_bytes())) for path in files)
    assert photo.size == layer.size == (1600, 720)
    assert layer.mode == "RGBA"
    mask = torch.nn.functional.interpolate(output.result[0][None], (720, 1600))[0, 0] > 0.5
    alpha = torch.frombuffer(bytearray(layer.getchannel("A").tobytes()), dtype=torch.uint8)
    assert overlap(alpha.view(720, 1600) > 0, mask) > 0.98


def test_outlines_and_tints(host):
    draw = host.pack.nodes.segmentation.draw_masks.draw_masks
    one = torch.zeros(40, 60, dtype=torch.bool)
    one[10:30, :30] = True  # reaches the left edge, which is no outline
    layer = draw(torch.stack([one, torch.zeros_like(one)]))
    assert torch.equal(layer[..., 3] > 0, one)
    opaque = layer[..., 3] == 1
    assert opaque[10, 5]
    assert opaque[29, 5]
    assert opaque[20, 29]
    assert not opaque[20, 0]
    assert not opaque[20, 15]
    two = draw(torch.stack([one, one]))
    assert not torch.equal(two[20, 15, :3], layer[20, 15, :3])  # a colour of its own
