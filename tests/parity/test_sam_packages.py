"""Segment Anything against the ``segment-anything`` and ``transformers`` packages.

Both are optional: the tests are skipped where they are not installed.
"""

import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import dpt_core
from dpt_core import MaskRules
from tests.builders import tiny_sam, write_checkpoint
from tests.parity.records import relative_error, to_images

TOLERANCE = 1e-4
# Two stages of unequal length, sizes that nobody has published.
SIZES = {"img_size": 160, "embed_dim": 48, "depth": 5, "num_heads": 3, "window_size": 4}
GLOBAL_BLOCKS = (0, 3, 4)
DIM = 32


def randomise(net: nn.Module, seed: int) -> None:
    """Weights under which every part counts."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in net.state_dict().items():
        noise = torch.randn(tensor.shape, generator=generator)
        if tensor.ndim == 1:
            tensor.copy_(0.1 * noise + ("norm" in name and name.endswith("weight")))
        elif tensor.shape[0] == 1 or "rel_pos" in name or "gaussian" in name or "token" in name:
            tensor.copy_(0.5 * noise)
        else:
            tensor.copy_(noise / tensor[0].numel() ** 0.5)


def nms(boxes: Tensor, scores: Tensor, _groups: Tensor, iou_threshold: float) -> Tensor:
    """Plain non-maximum suppression, as torchvision's within one group."""
    kept: list[int] = []
    for i in scores.sort(descending=True, stable=True).indices.tolist():
        low = torch.maximum(boxes[i, :2], boxes[kept, :2])
        high = torch.minimum(boxes[i, 2:], boxes[kept, 2:])
        common = (high - low).clamp(min=0).prod(dim=1)
        both = area(boxes[[i]]) + area(boxes[kept]) - common
        if not (common / both > iou_threshold).any():
            kept.append(i)
    return torch.tensor(kept, dtype=torch.long)


def area(boxes: Tensor) -> Tensor:
    """K×4 → K."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


@pytest.fixture
def segment_anything(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The official package; the four functions that it takes from torchvision are made here."""
    boxes = {"batched_nms": nms, "box_area": area}
    functional = {
        "to_pil_image": Image.fromarray,
        "resize": lambda image, size: image.resize(size[::-1], Image.Resampling.BILINEAR),
    }
    modules = {
        "torchvision": {},
        "torchvision.ops": {},
        "torchvision.ops.boxes": boxes,
        "torchvision.transforms": {},
        "torchvision.transforms.functional": functional,
    }
    for name, content in modules.items():
        module = ModuleType(name)
        vars(module).update(content)
        monkeypatch.setitem(sys.modules, name, module)
    return pytest.importorskip("segment_anything")


@pytest.fixture
def official(segment_anything: Any) -> Any:
    """A tiny official model with seeded weights."""
    modeling = segment_anything.modeling
    grid = SIZES["img_size"] // 16
    net = modeling.Sam(
        modeling.ImageEncoderViT(
            **SIZES,
            mlp_ratio=2,
            patch_size=16,
            out_chans=DIM,
            qkv_bias=True,
            use_rel_pos=True,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            global_attn_indexes=GLOBAL_BLOCKS,
        ),
        modeling.PromptEncoder(DIM, (grid, grid), (SIZES["img_size"],) * 2, mask_in_chans=8),
        modeling.MaskDecoder(
            num_multimask_outputs=3,
            transformer=modeling.TwoWayTransformer(
                depth=2, embedding_dim=DIM, mlp_dim=40, num_heads=8
            ),
            transformer_dim=DIM,
            iou_head_depth=3,
            iou_head_hidden_dim=20,
        ),
    )
    randomise(net, 0)
    return net.eval()


def predict(predictor: Any, pixels: np.ndarray, prompt: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """The official logits, IoU and low-resolution logits for one prompt."""
    predictor.set_image(pixels)
    names = {"points": "point_coords", "labels": "point_labels", "boxes": "box"}
    given = {names[name]: value[0].numpy() for name, value in prompt.items()}
    return tuple(torch.from_numpy(x) for x in predictor.predict(**given, return_logits=True))


@pytest.mark.parametrize("is_resampled", [False, True], ids=["own-positions", "resampled"])
def test_masks_match_the_official_package(
    official: Any, segment_anything: Any, tmp_path: Path, is_resampled: bool
) -> None:
    if is_resampled:  # tables of another grid, which the official code resamples at every use
        for index in GLOBAL_BLOCKS:
            attn = official.image_encoder.blocks[index].attn
            attn.rel_pos_h = nn.Parameter(torch.randn(27, attn.rel_pos_h.shape[1]))
            attn.rel_pos_w = nn.Parameter(torch.randn(27, attn.rel_pos_w.shape[1]))
    torch.save(official.state_dict(), tmp_path / "sam.pth")
    model = dpt_core.load_sam(tmp_path / "sam.pth")
    assert model.config.encoder.stages == (0, 2, 0)
    predictor = segment_anything.SamPredictor(official)
    generator = np.random.default_rng(0)
    for height, width in ((90, 200), (160, 160), (301, 77)):
        pixels = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
        images = to_images(torch.from_numpy(pixels))
        embedding = model.encode_image(images)
        points = torch.tensor([[[width * 0.3, height * 0.7], [width - 1.0, 0.0]]])
        labels = torch.tensor([[1, 0]])
        boxes = torch.tensor([[width * 0.1, height * 0.2, width * 0.9, height * 0.6]])
        kinds: tuple[dict[str, Any], ...] = (
            {"points": points, "labels": labels},
            {"boxes": boxes},
            {"points": points, "labels": labels, "boxes": boxes},
        )
        for prompt in kinds:
            logits, iou, low_res = predict(predictor, pixels, prompt)
            ours = model.predict(embedding, **prompt)
            assert relative_error(embedding.features, predictor.features) <= TOLERANCE
            assert relative_error(ours.logits[0], logits) <= TOLERANCE
            assert relative_error(ours.low_res_logits[0], low_res) <= TOLERANCE
            assert (ours.iou[0] - iou).abs().max() <= 1e-4
            assert (ours.masks[0] != (logits > 0)).float().mean() <= 1e-4


def test_automatic_masks_match_the_official_package(
    official: Any, segment_anything: Any, tmp_path: Path
) -> None:
    weights = tiny_sam()
    model = dpt_core.load_sam(write_checkpoint(tmp_path / "sam.pth", weights))
    sizes = model.config
    modeling = segment_anything.modeling
    grid, side = sizes.encoder.grid, sizes.encoder.side
    net = modeling.Sam(
        modeling.ImageEncoderViT(
            img_size=side,
            embed_dim=sizes.encoder.width,
            depth=sizes.encoder.blocks,
            num_heads=sizes.encoder.heads,
            window_size=sizes.encoder.window,
            global_attn_indexes=(1, 3),
            mlp_ratio=sizes.encoder.mlp_hidden / sizes.encoder.width,
            out_chans=sizes.width,
            use_rel_pos=True,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
        ),
        modeling.PromptEncoder(sizes.width, (grid, grid), (side, side), sizes.mask_channels[1]),
        modeling.MaskDecoder(
            transformer_dim=sizes.width,
            transformer=modeling.TwoWayTransformer(2, sizes.width, 8, sizes.decoder.mlp_hidden),
            iou_head_hidden_dim=sizes.decoder.iou_hidden,
        ),
    )
    net.load_state_dict(weights)
    rules = {
        "points_per_side": 6,
        "pred_iou_thresh": 0.4,
        "stability_score_thresh": 0.5,
        "crop_n_layers": 1,
        "crop_overlap_ratio": 0.5,
    }
    generator = np.random.default_rng(3)
    pixels = generator.integers(0, 256, (4, 5, 3), dtype=np.uint8).repeat(33, 0).repeat(21, 1)
    expected = segment_anything.SamAutomaticMaskGenerator(net.eval(), **rules).generate(pixels)
    images = to_images(torch.from_numpy(pixels))
    (ours,) = model.generate(images, MaskRules(**rules))
    assert len(ours.masks) == len(expected) > 3
    for mask, record in zip(ours.masks, expected, strict=True):
        assert (mask != torch.from_numpy(record["segmentation"])).sum() <= 1


def test_masks_match_transformers(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    vision = {
        "hidden_size": 48,
        "num_hidden_layers": 4,
        "num_attention_heads": 3,
        "image_size": 160,
        "mlp_ratio": 2.0,
        "window_size": 4,
        "global_attn_indexes": [0, 3],
        "output_channels": DIM,
        "num_pos_feats": DIM // 2,
        "mlp_dim": 96,
    }
    prompt = {
        "hidden_size": DIM,
        "image_size": 160,
        "image_embedding_size": 10,
        "mask_input_channels": 8,
    }
    decoder = {
        "hidden_size": DIM,
        "mlp_dim": 40,
        "iou_head_hidden_dim": 20,
        "layer_norm_eps": 1e-5,  # the official value, which the published config.json lacks
    }
    config = transformers.SamConfig(vision, prompt, decoder)
    net = transformers.SamModel(config).eval()
    randomise(net, 1)
    # One tensor under two names: the coordinates' encoding.
    shared = net.shared_image_embedding.positional_embedding
    net.prompt_encoder.shared_embedding.positional_embedding = shared
    net.save_pretrained(tmp_path)
    model = dpt_core.load_sam(tmp_path)
    assert model.inspection.layout == "transformers"
    images = torch.rand(1, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    points, labels = torch.tensor([[[40.0, 50.0], [100.0, 20.0]]]), torch.tensor([[1, 0]])
    with torch.no_grad():
        expected = net(
            model.preprocess(images),
            points.unsqueeze(0),
            labels.unsqueeze(0),
            multimask_output=True,
        )
    ours = model.predict(model.encode_image(images), points, labels)
    assert relative_error(ours.low_res_logits, expected.pred_masks[0]) <= TOLERANCE
    assert (ours.iou - expected.iou_scores[0]).abs().max() <= 1e-4
