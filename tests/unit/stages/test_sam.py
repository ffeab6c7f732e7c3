"""Feature maps of Segment Anything's image encoder, against the parts called directly."""

from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from dpt_core.checkpoint.inspection import Inspection
from dpt_core.sam.config import ImageEncoderConfig, MaskDecoderConfig, SAMConfig
from dpt_core.sam.model import SamModel
from dpt_core.sam.network import SAM
from dpt_core.stages import FeatureSpec, extract_sam_features

ENCODER = ImageEncoderConfig(
    width=12, heads=2, mlp_hidden=16, patch=8, grid=6, stages=(1, 1, 0, 1), window=4
)
DECODER = MaskDecoderConfig(2, 2, 8, 16, 4, (4, 2), 8, 8)


@pytest.fixture
def model() -> SamModel:
    config = SAMConfig(ENCODER, 16, (4, 8), DECODER)
    torch.manual_seed(0)
    net = SAM(config)
    with torch.no_grad():
        for weight in net.parameters():
            weight.normal_(0.1, 0.3)
    net.eval().requires_grad_(False)
    inspection = Inspection(Path("sam.pth"), "SAM", "none", config, (), 0, "float32", 0)
    return SamModel(config, net, inspection, torch.device("cpu"), torch.float32)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(2, 3, 30, 60, generator=torch.Generator().manual_seed(1))


def test_maps_are_what_the_parts_return_where_the_image_is(model: SamModel, images: Tensor):
    encoder: Any = model.net.image_encoder
    inputs = model.preprocess(images)
    with torch.no_grad():
        patches = encoder.patch_embed(inputs)
        tokens = [patches + encoder.pos_embed]
        for stage in encoder.stages:
            tokens.append(stage(tokens[-1]))
    covered = (slice(None), slice(0, 3), slice(0, 6))  # 24×48 pixels of the 48×48
    (found,) = extract_sam_features(model, images, FeatureSpec("patches"))
    torch.testing.assert_close(found.values.movedim(1, -1), patches[covered])
    *stages, embedding = extract_sam_features(model, images, FeatureSpec("stages"))
    assert [stage.label for stage in stages] == [f"stage {i}" for i in range(1, 5)]
    for stage, expected in zip(stages, tokens[1:], strict=True):
        torch.testing.assert_close(
            stage.values.movedim(1, -1), expected[covered], rtol=1e-4, atol=1e-4
        )
    whole = model.encode_image(images).features
    assert torch.equal(embedding.values, whole[:, :, :3])
    (positions,) = extract_sam_features(model, images[:1], FeatureSpec("positions"))
    assert torch.equal(positions.values.movedim(1, -1), encoder.pos_embed[covered])


def test_every_block_in_order(model: SamModel, images: Tensor):
    blocks = extract_sam_features(model, images, FeatureSpec("blocks"))
    assert [block.label for block in blocks] == [f"block {i}" for i in range(1, 8)]
    stages = extract_sam_features(model, images, FeatureSpec("stages"))
    for stage, last in zip(stages, (1, 3, 4, 6), strict=False):
        assert torch.equal(stage.values, blocks[last].values)
    (one,) = extract_sam_features(model, images, FeatureSpec("block", block=2))
    assert torch.equal(one.values, blocks[2].values)
    assert not any(module._forward_hooks for module in model.net.modules())


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (FeatureSpec("block", block=7), "this model has 7 blocks; choose 1 to 7"),
        (FeatureSpec(cast(Any, "fused")), "no features 'fused'; choose block or one of patches"),
    ],
)
def test_errors_name_what_is_missing(
    model: SamModel, images: Tensor, spec: FeatureSpec, message: str
):
    with pytest.raises(ValueError, match=message):
        extract_sam_features(model, images, spec)
