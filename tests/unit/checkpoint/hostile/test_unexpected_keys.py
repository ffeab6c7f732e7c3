"""Checkpoints with missing, unknown or mixed keys, and with wrong shapes or number formats."""

import pytest
import torch

import dpt_core
from dpt_core.depth.families import FAMILIES
from tests.builders import tiny_checkpoint, write_checkpoint
from tests.unit.checkpoint.hostile.refusal import refusal


class TestBlocks:
    def test_a_thousand_million_blocks(self, depth_anything, tmp_path):
        key = "pretrained.blocks.1000000000.norm1.weight"
        path = write_checkpoint(
            tmp_path / "many.safetensors", {**depth_anything, key: torch.ones(64)}
        )
        assert "none numbered 4" in refusal(path)

    def test_number_with_more_digits_than_an_integer(self, depth_anything, tmp_path):
        key = f"pretrained.blocks.{'9' * 400}.norm1.weight"
        path = write_checkpoint(
            tmp_path / "digits.safetensors", {**depth_anything, key: torch.ones(64)}
        )
        assert "none numbered 4" in refusal(path)

    def test_thousands_of_blocks(self, depth_anything, tmp_path):
        more = {f"pretrained.blocks.{i}.norm1.weight": torch.ones(1) for i in range(20_000)}
        path = write_checkpoint(tmp_path / "thousands.safetensors", {**more, **depth_anything})
        assert "20,000 numbered blocks" in refusal(path)

    def test_gap(self, depth_anything, tmp_path):
        state = {k: t for k, t in depth_anything.items() if ".blocks.2." not in k}
        assert "none numbered 2" in refusal(write_checkpoint(tmp_path / "gap.pth", state))

    def test_too_few(self, depth_anything, tmp_path):
        state = {k: t for k, t in depth_anything.items() if ".blocks.3." not in k}
        assert "3 blocks" in refusal(write_checkpoint(tmp_path / "few.pth", state))


@pytest.mark.parametrize("number", range(len(FAMILIES)))
class TestEveryLayout:
    def test_missing_key(self, number, tmp_path):
        state = tiny_checkpoint(FAMILIES[number])
        key = next(key for key in state if "refinenet2" in key or "fusion_stage.layers.2" in key)
        del state[key]
        message = refusal(write_checkpoint(tmp_path / "incomplete.safetensors", state))
        assert f"lacks keys that this kind of model needs: {key}" in message

    def test_missing_signature_names_the_family(self, number, tmp_path):
        family = FAMILIES[number]
        for key in family.signature:
            state = tiny_checkpoint(family)
            del state[key]
            message = refusal(write_checkpoint(tmp_path / "unsigned.safetensors", state))
            assert key in message
            assert family.name in message

    def test_unknown_key(self, number, tmp_path):
        state = {**tiny_checkpoint(FAMILIES[number]), "aux_head.conv.weight": torch.ones(2)}
        message = refusal(write_checkpoint(tmp_path / "more.safetensors", state))
        assert "does not have: aux_head.conv.weight" in message

    @pytest.mark.parametrize(
        ("dtype", "found"),
        [(torch.int8, "int8, whole numbers"), (torch.complex64, "complex64, complex numbers")],
    )
    def test_weights_that_are_not_floating_point(self, number, dtype, found, tmp_path):
        state = tiny_checkpoint(FAMILIES[number])
        key = next(key for key in state if "refinenet1" in key or "fusion_stage.layers.3" in key)
        state[key] = state[key].to(dtype)
        assert f"{key} as {found}" in refusal(write_checkpoint(tmp_path / "kinds.pth", state))

    @pytest.mark.parametrize("shape", [(), (0,), (3,), (1, 2, 3, 4, 5)])
    def test_wrong_shape_names_the_key(self, number, shape, tmp_path):
        state = tiny_checkpoint(FAMILIES[number])
        key = next(key for key in state if "refinenet3" in key or "fusion_stage.layers.1" in key)
        state[key] = torch.ones(shape)
        message = refusal(write_checkpoint(tmp_path / "shapes.safetensors", state))
        assert f"wrong shape for {key}" in message

    @pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
    def test_other_floating_point_formats_load(self, number, dtype, tmp_path):
        state = {key: tensor.to(dtype) for key, tensor in tiny_checkpoint(FAMILIES[number]).items()}
        exact = {key: tensor.float() for key, tensor in state.items()}
        model = dpt_core.load(write_checkpoint(tmp_path / "format.pth", state))
        expected = dpt_core.load(write_checkpoint(tmp_path / "exact.safetensors", exact))
        assert model.inspection.dtype == str(dtype).removeprefix("torch.")
        for found, wanted in zip(
            model.net.state_dict().values(), expected.net.state_dict().values(), strict=True
        ):
            assert torch.equal(found, wanted)


def test_two_layouts_at_once(tmp_path):
    state = tiny_checkpoint(FAMILIES[1]) | tiny_checkpoint(FAMILIES[0])
    message = refusal(write_checkpoint(tmp_path / "mixed.pth", state))
    assert "the keys of two models at once" in message


def test_values_too_large_for_float16_are_named(depth_anything, tmp_path):
    key = "pretrained.blocks.1.norm2.weight"
    depth_anything[key][5] = 1e5
    path = write_checkpoint(tmp_path / "large.safetensors", depth_anything)
    with pytest.warns(UserWarning, match="too large for float16") as caught:
        dpt_core.load(path, dtype=torch.float16)
    assert key in str(caught[0].message)
    assert "Choose float32 or bfloat16" in str(caught[0].message)
    assert not dpt_core.load(path).inspection.warnings


def test_large_finite_weights_are_no_reason_to_warn(depth_anything, tmp_path):
    depth_anything["pretrained.mask_token"].fill_(3e38)
    depth_anything["pretrained.blocks.0.ls1.gamma"].fill_(3e38)  # their sum is infinite
    path = write_checkpoint(tmp_path / "large.safetensors", depth_anything)
    assert not dpt_core.load(path).inspection.warnings
