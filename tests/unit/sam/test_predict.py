"""Prompts to masks: what `predict` promises, beyond the numbers that the parity tests compare."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import dpt_core
import dpt_core.sam.image_encoder as image_encoder
import dpt_core.sam.model as sam_model
from dpt_core import SamEmbedding, SamModel
from tests.builders import tiny_sam, tiny_sam_image, write_checkpoint

HEIGHT, WIDTH = 96, 141
SQUARE = torch.tensor([[[48.0, 30.0]]])  # within the yellow bar of the picture
SQUARE_BOX = torch.tensor([[29.0, 17.0, 67.0, 43.0]])
ONE = torch.ones(1, 1)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("sam") / "sam.safetensors", tiny_sam())


@pytest.fixture(scope="module")
def model(path: Path) -> SamModel:
    return dpt_core.load_sam(path)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return tiny_sam_image()


@pytest.fixture(scope="module")
def embedding(model: SamModel, images: Tensor) -> SamEmbedding:
    return model.encode_image(images)


def overlap(mask: Tensor, other: Tensor) -> float:
    """Intersection over union."""
    return ((mask & other).sum() / (mask | other).sum()).item()


def inside(box: Tensor) -> Tensor:
    """H×W, set within a box (x, y, x, y)."""
    x0, y0, x1, y1 = box.int().tolist()
    mask = torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
    mask[y0:y1, x0:x1] = True
    return mask


def test_a_click_gives_the_object(model: SamModel, embedding: SamEmbedding) -> None:
    result = model.predict(embedding, SQUARE, ONE)
    assert result.masks.shape == result.logits.shape == (1, 3, HEIGHT, WIDTH)
    assert result.masks.dtype == torch.bool
    assert torch.equal(result.masks, result.logits > 0)
    assert result.iou.shape == (1, 3)
    assert result.low_res_logits.shape == (1, 3, 32, 32)
    best = result.masks[0, result.iou.argmax()]
    assert overlap(best, inside(SQUARE_BOX[0])) > 0.7


def test_several_prompts_at_once_are_each_alone(
    model: SamModel, embedding: SamEmbedding, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = torch.tensor([[[48.0, 30.0]], [[94.0, 25.0]], [[60.0, 80.0]]])
    labels = torch.tensor([[1], [1], [0]])
    together = model.predict(embedding, points, labels)
    monkeypatch.setattr(sam_model, "PROMPT_CHUNK", 2)
    in_chunks = model.predict(embedding, points, labels)
    for i in range(3):
        alone = model.predict(embedding, points[i : i + 1], labels[i : i + 1])
        for result in (together, in_chunks):
            assert torch.allclose(result.logits[i], alone.logits[0], atol=1e-4)
            assert torch.allclose(result.iou[i], alone.iou[0], atol=1e-5)


def test_padding_points_change_nothing(model: SamModel, embedding: SamEmbedding) -> None:
    """Prompts of different numbers of points can go together: −1 fills up, wherever it is."""
    more = torch.cat([SQUARE, torch.full((1, 1, 2), -500.0)], dim=1)
    labels = torch.tensor([[1, -1]])
    filled = model.predict(embedding, more, labels, SQUARE_BOX)
    other = model.predict(embedding, more.abs(), labels, SQUARE_BOX)
    assert torch.equal(filled.logits, other.logits)


def test_one_mask_or_three(model: SamModel, embedding: SamEmbedding) -> None:
    one = model.predict(embedding, SQUARE, ONE, multimask=False)
    three = model.predict(embedding, SQUARE, ONE)
    assert one.masks.shape[1] == one.iou.shape[1] == one.low_res_logits.shape[1] == 1
    assert not any(torch.allclose(one.logits[:, 0], mask) for mask in three.logits.unbind(1))


def test_a_mask_prompt_refines_and_may_stand_alone(
    model: SamModel, embedding: SamEmbedding
) -> None:
    first = model.predict(embedding, SQUARE, ONE)
    mask = first.low_res_logits[:, first.iou[0].argmax()].unsqueeze(1)
    with_mask = model.predict(embedding, SQUARE, ONE, mask=mask)
    assert not torch.allclose(with_mask.logits, first.logits)
    alone = model.predict(embedding, mask=mask.expand(2, -1, -1, -1))
    assert alone.masks.shape == (2, 3, HEIGHT, WIDTH)
    assert torch.allclose(alone.logits[0], alone.logits[1], atol=1e-5)


def test_no_prompts_give_no_masks(model: SamModel, embedding: SamEmbedding) -> None:
    result = model.predict(embedding, boxes=torch.zeros(0, 4))
    assert result.masks.shape == (0, 3, HEIGHT, WIDTH)
    assert result.iou.shape == (0, 3)


def test_an_embedding_holds_its_images_apart(model: SamModel, images: Tensor) -> None:
    batch = torch.cat([images, images.flip(3)])
    before = batch.clone()
    progress = []
    embedding = model.encode_image(batch, lambda done, total: progress.append((done, total)))
    assert torch.equal(batch, before)
    assert progress == [(1, 2), (2, 2)]
    assert len(embedding) == 2
    assert embedding.image_size == (HEIGHT, WIDTH)
    assert torch.equal(embedding[1].features, model.encode_image(images.flip(3)).features)
    with pytest.raises(ValueError, match=r"of 2 images, and prompts are for one"):
        model.predict(embedding, SQUARE, ONE)


def test_any_number_format_of_images_and_weights(
    path: Path, images: Tensor, model: SamModel
) -> None:
    expected = model.encode_image(images).features
    assert torch.equal(model.encode_image(images.double()).features, expected)
    half = dpt_core.load_sam(path, dtype=torch.bfloat16)
    embedding = half.encode_image(images)
    assert embedding.features.dtype == torch.float32
    assert (embedding.features - expected).std() / expected.std() < 0.05
    result = half.predict(embedding, SQUARE, ONE)
    assert result.logits.dtype == result.iou.dtype == torch.float32
    best = result.masks[0, result.iou.argmax()]
    assert overlap(best, inside(SQUARE_BOX[0])) > 0.6


@pytest.mark.parametrize("limit", [1, 10_000, 30_000])
def test_attention_in_chunks_is_the_same(
    model: SamModel,
    images: Tensor,
    embedding: SamEmbedding,
    monkeypatch: pytest.MonkeyPatch,
    limit: int,
) -> None:
    monkeypatch.setattr(image_encoder, "BIAS_BYTES", limit)
    assert torch.allclose(model.encode_image(images).features, embedding.features, atol=1e-5)


def test_attention_bias_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more of it is made at once than the limit allows, in whatever pieces."""
    sizes = []
    original = image_encoder.position_bias

    def spy(*arguments: Any) -> Tensor:
        bias = original(*arguments)
        sizes.append(bias.numel() * bias.element_size())
        return bias

    monkeypatch.setattr(image_encoder, "position_bias", spy)
    attention = image_encoder.RelativeAttention(16, 4, 24, torch.nn).requires_grad_(False)
    per_row = 24 * 24 * 24 * 4
    for limit in (per_row, 5 * per_row, 24 * per_row, 50 * per_row):
        sizes.clear()
        monkeypatch.setattr(image_encoder, "BIAS_BYTES", limit)
        attention(torch.randn(1, 24, 24, 16))
        assert max(sizes) <= limit
        assert sum(sizes) == 4 * 24 * per_row


def refusals() -> list[tuple[dict[str, Any], str]]:
    points = torch.zeros(1, 1, 2)
    return [
        ({}, "There is no prompt"),
        ({"labels": ONE}, "not labels alone"),
        ({"labels": ONE, "boxes": SQUARE_BOX}, "There are labels but no points"),
        ({"points": points}, "There are points but no labels"),
        ({"points": points[0], "labels": ONE}, "points is 1×2; N×P×2"),
        ({"points": points[:, :0], "labels": ONE[:, :0]}, "points is 1×0×2; N×P×2"),
        ({"points": points, "labels": torch.ones(1, 2)}, "1×1 points and 1×2 labels"),
        ({"points": points, "labels": 2 * ONE}, "A label is 2"),
        ({"points": points, "labels": 0.7 * ONE}, "A label is 0.7"),
        ({"points": points - 1, "labels": ONE}, r"at x = -1, y = -1, outside the image of 141×96"),
        (
            {"points": torch.tensor([[[5.0, 5.0], [20.0, 96.5]]]), "labels": torch.ones(1, 2)},
            r"Point 1 of prompt 0 \(counted from 0\) is at x = 20, y = 96.5, outside",
        ),
        ({"points": points * float("nan"), "labels": ONE}, "outside the image"),
        ({"boxes": torch.tensor([[0.0, 0.0, 150.0, 20.0]])}, "Corner 1 of prompt 0"),
        ({"boxes": torch.tensor([[9.0, 9.0, 9.0, 20.0]])}, "Box 0 .* has no area"),
        ({"boxes": torch.tensor([[30.0, 9.0, 9.0, 20.0]])}, r"from \(30, 9\) to \(9, 20\)"),
        ({"boxes": torch.zeros(4)}, "boxes is 4; N×4"),
        ({"mask": torch.zeros(1, 1, 33, 32)}, "mask is 1×1×33×32; N×1×32×32 logits"),
        ({"mask": torch.full((1, 1, 32, 32), float("inf"))}, "NaN or infinite"),
        (
            {"boxes": SQUARE_BOX, "mask": torch.zeros(2, 1, 32, 32)},
            "numbers of prompts differ: 1 in boxes, 2 in mask",
        ),
    ]


@pytest.mark.parametrize(("prompt", "expected"), refusals())
def test_prompts_that_cannot_be_used_are_refused(
    model: SamModel, embedding: SamEmbedding, prompt: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ValueError, match=expected):
        model.predict(embedding, **prompt)


def test_prompts_that_are_not_tensors_are_refused(model: SamModel, embedding: SamEmbedding) -> None:
    wrong: Any = [[1, 2, 30, 40]]
    with pytest.raises(TypeError, match="boxes is a list"):
        model.predict(embedding, boxes=wrong)


@pytest.mark.parametrize(
    "call",
    [SamModel.encode_image, SamModel.generate, SamModel.preprocess],
    ids=lambda c: c.__name__,
)
def test_images_that_cannot_be_used_are_refused(model: SamModel, call: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="uint8"):
        call(model, torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
    with pytest.raises(ValueError, match="1×8×8×3"):
        call(model, torch.zeros(1, 8, 8, 3))


def test_edges_belong_to_the_image_and_extreme_shapes_work(model: SamModel) -> None:
    embedding = model.encode_image(torch.rand(1, 3, 1, 400))
    corners = torch.tensor([[[0.0, 0.0], [400.0, 1.0]]])
    result = model.predict(embedding, corners, torch.ones(1, 2))
    assert result.masks.shape == (1, 3, 1, 400)
    assert result.logits.isfinite().all()
