"""Folders of the Hugging Face kind: shards, an index and a config, sound and damaged."""

import pytest
from safetensors.torch import save_file

import dpt_core
from tests.builders import write_checkpoint, write_shards

METRIC_CONFIG = (
    '{"model_type": "depth_anything", "depth_estimation_type": "metric", "max_depth": %s}'
)


class TestFolder:
    def test_shards_load(self, depth_anything, tmp_path):
        names = {key: f"model-{i % 2}.safetensors" for i, key in enumerate(depth_anything)}
        folder = write_shards(tmp_path / "hub", depth_anything, names)
        assert dpt_core.load(folder).inspection.family == "Depth Anything V1"

    def test_missing_shard(self, depth_anything, tmp_path):
        names = {key: f"model-{i % 2}.safetensors" for i, key in enumerate(depth_anything)}
        folder = write_shards(tmp_path / "hub", depth_anything, names)
        (folder / "model-1.safetensors").unlink()
        with pytest.raises(dpt_core.CheckpointError, match=r"There is no file at .*model-1"):
            dpt_core.load(folder)

    def test_key_in_two_shards(self, depth_anything, tmp_path):
        names = {key: f"model-{i % 2}.safetensors" for i, key in enumerate(depth_anything)}
        folder = write_shards(tmp_path / "hub", depth_anything, names)
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
