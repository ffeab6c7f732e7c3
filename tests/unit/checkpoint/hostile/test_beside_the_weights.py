"""Training checkpoints, folders with an index and a config, and what is left after loading."""

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import dpt_core
from dpt_core.checkpoint import published as known
from tests.builders import write_checkpoint
from tests.unit.checkpoint.hostile.refusal import refusal

IMAGE = torch.rand(1, 3, 40, 56, generator=torch.Generator().manual_seed(1))


METRIC_CONFIG = (
    '{"model_type": "depth_anything", "depth_estimation_type": "metric", "max_depth": %s}'
)


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


class TestAfterLoading:
    @pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
    def test_model_does_not_depend_on_its_file(self, suffix, depth_anything, tmp_path):
        path = write_checkpoint(tmp_path / f"replaced{suffix}", depth_anything)
        model = dpt_core.load(path)
        before = model.infer(IMAGE).values
        with path.open("r+b") as file:
            file.write(os.urandom(path.stat().st_size))
        assert torch.equal(model.infer(IMAGE).values, before)
        path.write_bytes(b"")
        assert torch.equal(model.infer(IMAGE).values, before)

    @pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="reads Linux's own list")
    @pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
    def test_file_is_neither_open_nor_mapped(self, suffix, depth_anything, tmp_path):
        path = write_checkpoint(tmp_path / f"released{suffix}", depth_anything)
        model = dpt_core.load(path)
        inspection = dpt_core.inspect(path)
        targets = [os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.exists()]
        assert str(path) not in targets
        assert path.name not in Path("/proc/self/maps").read_text()
        assert model.inspection.bytes == inspection.bytes


class TestFolder:
    def write_shards(self, folder: Path, state: dict, names: dict[str, str]) -> Path:
        folder.mkdir()
        for file in set(names.values()):
            save_file({k: state[k] for k in state if names[k] == file}, folder / file)
        index = folder / "model.safetensors.index.json"
        index.write_text(json.dumps({"weight_map": names}))
        return folder

    def test_shards_load(self, depth_anything, tmp_path):
        names = {key: f"model-{i % 2}.safetensors" for i, key in enumerate(depth_anything)}
        folder = self.write_shards(tmp_path / "hub", depth_anything, names)
        assert dpt_core.load(folder).inspection.family == "Depth Anything V1"

    def test_missing_shard(self, depth_anything, tmp_path):
        names = {key: f"model-{i % 2}.safetensors" for i, key in enumerate(depth_anything)}
        folder = self.write_shards(tmp_path / "hub", depth_anything, names)
        (folder / "model-1.safetensors").unlink()
        with pytest.raises(dpt_core.CheckpointError, match=r"There is no file at .*model-1"):
            dpt_core.load(folder)

    def test_key_in_two_shards(self, depth_anything, tmp_path):
        names = {key: f"model-{i % 2}.safetensors" for i, key in enumerate(depth_anything)}
        folder = self.write_shards(tmp_path / "hub", depth_anything, names)
        twice = next(iter(depth_anything))
        extra = {k: t for k, t in depth_anything.items() if names[k].endswith("1.safetensors")}
        save_file({**extra, twice: depth_anything[twice]}, folder / "model-1.safetensors")
        with pytest.raises(dpt_core.CheckpointError, match=rf"{twice}, which another part"):
            dpt_core.load(folder)

    @pytest.mark.parametrize(
        "index",
        [
            "",
            "[]",
            "{}",
            '{"weight_map": 3}',
            '{"weight_map": {"a": 1}}',
            '{"weight_map": {"a": "../secret.safetensors"}}',
            "[" * 100_000,
        ],
    )
    def test_damaged_index(self, index, tmp_path):
        (tmp_path / "model.safetensors.index.json").write_text(index)
        with pytest.raises(dpt_core.CheckpointError, match=r"model.safetensors.index.json (is|po)"):
            dpt_core.load(tmp_path)

    @pytest.mark.parametrize(
        "config",
        [
            "not json",
            "[" * 100_000,
            *(METRIC_CONFIG % value for value in ("1e999", "true", "-1", "1" + "0" * 400)),
            '{"model_type": "depth_anything", "backbone_config": 3}',
        ],
    )
    def test_nonsense_in_the_config_is_no_evidence(self, config, depth_anything, tmp_path):
        path = write_checkpoint(tmp_path / "model.safetensors", depth_anything)
        (tmp_path / "config.json").write_text(config)
        (tmp_path / "preprocessor_config.json").write_text('{"image_std": [0, 0, 0]}')
        inspection = dpt_core.load(path).inspection
        assert inspection.config.max_depth is None
        assert inspection.config.image.std == (0.229, 0.224, 0.225)


class TestDoctor:
    def test_known_file_and_its_licence(self, depth_anything, tmp_path, monkeypatch):
        path = write_checkpoint(tmp_path / "renamed.pth", depth_anything)
        digest = known._sha256(path, path.stat().st_size, 0)
        published = known.PublishedFile(
            "da_tiny.pth", "Apache-2.0", path.stat().st_size, digest, "v1"
        )
        monkeypatch.setattr(known, "PUBLISHED", (published,))
        inspection = dpt_core.inspect(path)
        assert inspection.published == published
        assert "published file: da_tiny.pth, Apache-2.0" in inspection.summary()

    def test_file_of_the_same_size_is_not_taken_for_it(self, depth_anything, tmp_path, monkeypatch):
        path = write_checkpoint(tmp_path / "renamed.pth", depth_anything)
        published = known.PublishedFile("da_tiny.pth", "MIT", path.stat().st_size, "0" * 64, "v1")
        monkeypatch.setattr(known, "PUBLISHED", (published,))
        assert dpt_core.inspect(path).published is None

    def test_summary_says_what_it_is(self, depth_anything, tmp_path):
        summary = dpt_core.inspect(
            write_checkpoint(tmp_path / "model.safetensors", depth_anything)
        ).summary()
        for part in ("Depth Anything V1", "official keys", "4 blocks", "float32", "42 pixels"):
            assert part in summary
