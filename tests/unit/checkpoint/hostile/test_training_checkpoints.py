"""Training checkpoints: weights among other things, or under other names."""

import pytest
import torch

import dpt_core
from tests.builders import write_checkpoint
from tests.unit.checkpoint.hostile.refusal import refusal

IMAGE = torch.rand(1, 3, 40, 56, generator=torch.Generator().manual_seed(1))


class TestTrainingCheckpoint:
    @pytest.mark.parametrize(
        "name", ["state_dict", "model", "model_state_dict", "ema", "params_ema", "ema_state_dict"]
    )
    def test_model_inside_is_loaded(self, name, depth_anything, tmp_path):
        whole = dpt_core.load(write_checkpoint(tmp_path / "whole.safetensors", depth_anything))
        path = tmp_path / "training.ckpt"
        content = {
            "epoch": 7,
            "loss": torch.tensor(0.3),  # a tensor beside the model
            "rng_state": torch.get_rng_state(),
            "optimizer": {"state": {0: {"exp_avg": torch.ones(5)}}, "param_groups": [{"lr": 1e-4}]},
            name: {f"module.{k}": torch.nn.Parameter(t) for k, t in depth_anything.items()},
        }
        torch.save(content, path)
        model = dpt_core.load(path)
        assert model.inspection.family == "Depth Anything V1"
        assert not any(parameter.requires_grad for parameter in model.net.parameters())
        assert torch.equal(model.infer(IMAGE).values, whole.infer(IMAGE).values)

    def test_nested_twice(self, depth_anything, tmp_path):
        path = tmp_path / "nested.pth"
        torch.save({"model": {"state_dict": depth_anything}, "optimizer": {}}, path)
        assert dpt_core.inspect(path).family == "Depth Anything V1"

    @pytest.mark.parametrize(
        ("prefix", "more", "said"),
        [
            ("module.", "n_averaged", "n_averaged"),  # torch.optim.swa_utils.AveragedModel
            ("model.", "criterion.weight", "criterion.weight"),  # Lightning
            ("net.depth_anything.", None, None),
            ("ema.", "online.step", "online.step"),
        ],
    )
    def test_model_among_other_keys(self, prefix, more, said, depth_anything, tmp_path):
        state = {prefix + key: tensor for key, tensor in depth_anything.items()}
        if more:
            state[more] = torch.ones(1)
        path = write_checkpoint(tmp_path / "depth_anything_v1.safetensors", state)
        model = dpt_core.load(path)
        plain = dpt_core.load(write_checkpoint(tmp_path / "plain.safetensors", depth_anything))
        assert torch.equal(model.infer(IMAGE).values, plain.infer(IMAGE).values)
        assert len(model.inspection.warnings) == (more is not None)
        assert more is None or said in model.inspection.warnings[0]
        assert dpt_core.inspect(path).warnings == model.inspection.warnings

    def test_parts_compiled_on_their_own(self, depth_anything, tmp_path):
        state = {
            key.replace("pretrained.", "pretrained._orig_mod."): tensor
            for key, tensor in depth_anything.items()
        }
        path = write_checkpoint(tmp_path / "depth_anything_v1.pth", state)
        assert dpt_core.load(path).inspection.family == "Depth Anything V1"

    def test_two_models(self, depth_anything, tmp_path):
        state = {
            prefix + key: tensor
            for prefix in ("student.", "teacher.")
            for key, tensor in depth_anything.items()
        }
        message = refusal(write_checkpoint(tmp_path / "distilled.pth", state))
        assert "2 models, under student. and teacher." in message
