"""Options that several commands share."""

import dataclasses

import pytest
import torch

from dpt_core.checkpoint.hints import Overrides
from dpt_core.cli import options
from dpt_core.cli.main import make_parser
from dpt_core.estimate.model import DepthModel

COMMANDS = {
    "depth": ["photo.png"],
    "inspect": ["model.pth"],
    "convert": ["model.pth", "out.safetensors", "--layout", "official"],
    "stages": ["photo.png"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_override_is_an_option_of_every_command(command: str):
    argv = [command, *COMMANDS[command]]
    names = {field.name for field in dataclasses.fields(Overrides)}
    assert options.get_overrides(make_parser().parse_args(argv)) == dict.fromkeys(names)
    argv += ["--variant", "v1", "--max-depth", "20", "--pretrained-window", "12"]
    chosen = {"variant": "v1", "max_depth": 20.0, "pretrained_window": 12}
    assert options.get_overrides(make_parser().parse_args(argv)) == chosen


def test_a_window_for_each_stage_is_a_list():
    argv = ["inspect", "model.pth", "--pretrained-window", "12", "12", "12", "6"]
    overrides = options.get_overrides(make_parser().parse_args(argv))
    assert overrides["pretrained_window"] == [12, 12, 12, 6]


def load(checkpoint, *more: str) -> DepthModel:
    argv = ["depth", "photo.png", "--checkpoint", str(checkpoint), "--device", "cpu", *more]
    return options.load_model(make_parser().parse_args(argv))


def test_the_precision_is_float32_on_a_cpu_unless_chosen(checkpoint):
    assert load(checkpoint).dtype == torch.float32
    assert load(checkpoint, "--precision", "bfloat16").dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("own", "expected"), [("float16", torch.float16), ("float64", torch.float32)]
)
def test_the_precision_is_the_file_s_own_on_cuda(own, expected, checkpoint, monkeypatch):
    model = load(checkpoint)
    chosen = []

    def load_on_cuda(path, *, dtype, device, **overrides):
        assert device == "cuda"
        chosen.append(dtype(dataclasses.replace(model.inspection, dtype=own)))
        return model

    monkeypatch.setattr(options, "_choose_device", lambda name: "cuda")
    monkeypatch.setattr("dpt_core.loading.load", load_on_cuda)
    load(checkpoint)
    assert chosen == [expected]
