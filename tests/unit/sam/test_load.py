"""Segment Anything checkpoints: detection, conversion, measuring and building."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import dpt_core
from dpt_core import CheckpointError, Inspection, SamModel
from dpt_core.checkpoint.context import FileContext
from dpt_core.checkpoint.hints import Overrides
from dpt_core.checkpoint.read import StateFile
from dpt_core.layers.norm import LayerNorm2d
from dpt_core.loading import prepare_any
from dpt_core.sam.families import OFFICIAL, TRANSFORMERS
from tests.builders import tiny_sam, write_checkpoint, write_depth_anything
from tests.published import empty_state

State = dict[str, Tensor]


@pytest.fixture
def state() -> State:
    """A tiny checkpoint in the official layout: four blocks, the second and fourth global."""
    return tiny_sam()


def load(state: State, folder: Path, **options: Any) -> SamModel:
    """The model of a checkpoint."""
    return dpt_core.load_sam(write_checkpoint(folder / "sam.safetensors", state), **options)


def test_every_published_checkpoint_is_recognised_and_measured(sam_manifests: Any) -> None:
    stages = {"b": (2, 2, 2, 2), "l": (5, 5, 5, 5), "h": (7, 7, 7, 7)}
    widths, heads = {"b": 768, "l": 1024, "h": 1280}, {"b": 12, "l": 16, "h": 16}
    assert len(sam_manifests) == 6
    for name, manifest in sam_manifests.items():
        size = name.replace("facebook--", "").split("vit")[1][1]
        for without in ([], manifest.get("optional_keys", [])):
            tensors = empty_state(manifest, without.__contains__)
            inspection = prepare_any(StateFile(Path("sam.pth"), tensors, {}, 0)).inspection
            encoder, decoder = inspection.config.encoder, inspection.config.decoder
            assert inspection.layout == ("transformers" if "--" in name else "official")
            assert (encoder.stages, encoder.width) == (stages[size], widths[size]), name
            assert encoder.heads == heads[size]
            assert (encoder.window, encoder.grid, encoder.patch, encoder.side) == (14, 64, 16, 1024)
            assert (encoder.mlp_hidden, inspection.config.width) == (4 * widths[size], 256)
            assert inspection.config.mask_channels == (4, 16)
            assert (decoder.layers, decoder.heads, decoder.cross_width) == (2, 8, 128)
            assert (decoder.mlp_hidden, decoder.mask_tokens) == (2048, 4)
            assert decoder.upscaled == (64, 32)


def test_epsilons_are_the_official_ones(state: State, tmp_path: Path) -> None:
    net = load(state, tmp_path).net
    for name, module in net.named_modules():
        if isinstance(module, nn.LayerNorm | LayerNorm2d):
            decoder = name.startswith("mask_decoder.transformer")
            assert module.eps == (1e-5 if decoder else 1e-6), name


def test_converted_names_and_shapes(state: State, tmp_path: Path) -> None:
    weights = load(state, tmp_path).net.state_dict()
    same = {
        "image_encoder.stages.1.global_attn_block.mlp.layers.2.bias": (
            "image_encoder.blocks.3.mlp.lin2.bias"
        ),
        "image_encoder.stages.1.window_attn_blocks.0.attn.rel_pos_w": (
            "image_encoder.blocks.2.attn.rel_pos_w"
        ),
        "prompt_encoder.box_encoder.tl_embed": "prompt_encoder.point_embeddings.2.weight",
        "prompt_encoder.box_encoder.br_embed": "prompt_encoder.point_embeddings.3.weight",
        "prompt_encoder.point_encoder.fg_embed": "prompt_encoder.point_embeddings.1.weight",
        "mask_decoder.hypernetworks.3.4.bias": (
            "mask_decoder.output_hypernetworks_mlps.3.layers.2.bias"
        ),
    }
    for ours, theirs in same.items():
        assert torch.equal(weights[ours], state[theirs].float()), ours
    for name in ("image_encoder.neck.1", "mask_decoder.upscaler.1"):
        assert weights[f"{name}.weight"].shape[1:] == (1, 1)


def test_uneven_stages_are_measured_from_the_tables_of_positions() -> None:
    lengths = [5, 15, 5, 5, 5, 15, 15]
    tensors = {
        f"image_encoder.blocks.{i}.attn.rel_pos_h": torch.zeros(length, 8)
        for i, length in enumerate(lengths)
    }
    context = FileContext.of(Path("sam.pth"), {})
    plan = OFFICIAL.plan(tensors, context, Overrides())
    names = [str(row["place"]) for row in plan.rows]
    assert names == [
        "stages.0.window_attn_blocks.0",
        "stages.0.global_attn_block",
        *(f"stages.1.window_attn_blocks.{i}" for i in range(3)),
        "stages.1.global_attn_block",
        "stages.2.global_attn_block",
    ]


def test_wrapped_nested_and_half_precision_files_give_the_same_model(
    state: State, tmp_path: Path
) -> None:
    plain = load(state, tmp_path)
    wide = {name: tensor.float() for name, tensor in state.items()}
    nested = {"model": {f"module.{k}": v for k, v in state.items()}, "epoch": 3}
    torch.save(nested, tmp_path / "nested.pth")
    copies = [
        write_checkpoint(tmp_path / "float32.safetensors", wide),
        write_checkpoint(tmp_path / "plain.pth", wide),
        tmp_path / "nested.pth",
    ]
    for path in copies:
        model = dpt_core.load_sam(path)
        assert model.config == plain.config
        for name, weight in plain.net.state_dict().items():
            assert torch.equal(weight, model.net.state_dict()[name]), name
    assert plain.inspection.dtype == "float16"
    assert dpt_core.inspect(copies[0]).dtype == "float32"


def test_half_precision_keeps_the_coordinate_encoding_exact(state: State, tmp_path: Path) -> None:
    model = load(state, tmp_path, dtype=torch.bfloat16)
    matrix = model.net.prompt_encoder.coordinate_encoder.gaussian_matrix
    assert matrix.dtype == torch.float32
    others = {p.dtype for p in model.net.parameters() if p is not matrix}
    assert others == {torch.bfloat16}


def test_layers_come_from_the_ops_namespace(state: State, tmp_path: Path) -> None:
    class Ops:
        class Linear(nn.Linear):
            pass

        class Conv2d(nn.Conv2d):
            pass

        class ConvTranspose2d(nn.ConvTranspose2d):
            pass

        class LayerNorm(nn.LayerNorm):
            pass

    net = load(state, tmp_path, ops=Ops).net
    for name, module in net.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d | nn.LayerNorm):
            assert type(module).__qualname__.split(".")[-2] == "Ops", name


def test_positions_of_another_grid_are_resampled_once(state: State, tmp_path: Path) -> None:
    name = "image_encoder.blocks.1.attn.rel_pos_h"
    long = dict(state)
    for index in (1, 3):
        for axis in ("h", "w"):
            table = state[f"image_encoder.blocks.{index}.attn.rel_pos_{axis}"]
            longer = table.repeat_interleave(3, dim=0)
            long[f"image_encoder.blocks.{index}.attn.rel_pos_{axis}"] = longer
    model = load(long, tmp_path)
    assert model.config == load(state, tmp_path).config
    # Of three equal samples in a row the middle one is taken: nothing changes.
    converted = model.net.state_dict()["image_encoder.stages.0.global_attn_block.attn.rel_pos_h"]
    assert torch.equal(converted, state[name].float())


def test_inspect_knows_the_model_from_the_header(state: State, tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "sam.safetensors", state)
    inspection = dpt_core.inspect(path)
    assert isinstance(inspection, Inspection)
    assert inspection == dpt_core.load_sam(path).inspection
    assert inspection.bytes == path.stat().st_size
    assert inspection.parameters == sum(t.numel() for t in state.values())
    text = inspection.summary()
    assert "official keys" in text
    assert "4 blocks (2 + 2)" in text
    with pytest.raises(CheckpointError, match="variant does not apply"):
        dpt_core.inspect(path, variant="v2")


def test_the_command_line_shows_the_model(
    state: State, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from dpt_core.cli import main

    assert main(["inspect", str(write_checkpoint(tmp_path / "sam.safetensors", state))]) == 0
    shown = capsys.readouterr().out
    assert "Segment Anything (SAM)" in shown
    assert "encoder window" in shown


def test_nan_weights_are_named(state: State, tmp_path: Path) -> None:
    state["mask_decoder.iou_token.weight"][0, 0] = float("nan")
    with pytest.warns(UserWarning, match=r"NaN or infinite values in mask_decoder\.iou_token"):
        model = load(state, tmp_path)
    assert len(model.inspection.warnings) == 1


def error_message(call: Callable[[], object]) -> str:
    """What a call that must fail says."""
    with pytest.raises(CheckpointError) as caught:
        call()
    return str(caught.value)


def test_depth_and_segmentation_are_told_apart(state: State, tmp_path: Path) -> None:
    depth = write_depth_anything(tmp_path / "depth_anything_v2_vits.safetensors")
    text = error_message(lambda: dpt_core.load_sam(depth))
    assert "depth_anything_v2_vits.safetensors is a depth model (Depth Anything)" in text
    assert "sam_vit_b_01ec64.pth" in text
    text = error_message(
        lambda: dpt_core.load(write_checkpoint(tmp_path / "sam.safetensors", state))
    )
    assert "sam.safetensors is Segment Anything (SAM), not a depth model" in text


def test_unsupported_relatives_are_named(state: State, tmp_path: Path) -> None:
    hq = state | {"mask_decoder.hf_token.weight": torch.zeros(1, 32)}
    text = error_message(lambda: load(hq, tmp_path))
    assert "is SAM-HQ, not a segmentation model that this pack loads" in text
    sam2 = {"image_encoder.trunk.pos_embed": torch.zeros(1, 2, 2, 2)}
    assert "is SAM 2" in error_message(lambda: load(sam2, tmp_path))


def without(state: State, part: str) -> State:
    return {name: tensor for name, tensor in state.items() if part not in name}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda s: without(s, "blocks.1."), "none numbered 1"),
        (lambda s: without(s, "blocks.2.attn.rel_pos_h"), "lacks image_encoder.blocks.2.attn.rel"),
        (lambda s: without(s, "iou_token"), "lacks mask_decoder.iou_token.weight"),
        (lambda s: without(s, "neck.3.bias"), "lacks keys that this kind of model needs"),
        (lambda s: s | {"image_encoder.adapter": torch.zeros(2)}, "image_encoder.adapter"),
        (
            lambda s: s | {"image_encoder.pos_embed": torch.zeros(1, 8, 7, 48)},
            "wrong shape for image_encoder.pos_embed: 1×8×7×48",
        ),
        (
            lambda s: s | {"image_encoder.blocks.0.mlp.lin1.bias": torch.zeros(7)},
            "wrong shape for image_encoder.blocks.0.mlp.lin1.bias: 7 where 96",
        ),
        (
            lambda s: s | {"image_encoder.blocks.2.attn.rel_pos_w": torch.zeros(9, 24)},
            "wrong shape for image_encoder.blocks.2.attn.rel_pos_w: 9×24 where 5×24",
        ),
        (
            lambda s: (
                s
                | {
                    f"image_encoder.blocks.{i}.attn.rel_pos_{a}": torch.zeros(9, 24)
                    for i in range(4)
                    for a in "hw"
                }
            ),
            "cannot be told which ones have windows",
        ),
        (
            lambda s: s | {"mask_decoder.mask_tokens.weight": torch.zeros(3, 32)},
            "a model of its kind and size does not have",
        ),
    ],
)
def test_damaged_files_are_refused_with_the_key(
    state: State, change: Callable[[State], State], expected: str, tmp_path: Path
) -> None:
    assert expected in error_message(lambda: load(change(state), tmp_path))


def test_layouts_have_their_own_signatures(sam_manifests: Any) -> None:
    for name, manifest in sam_manifests.items():
        found = [
            family.layout
            for family in (OFFICIAL, TRANSFORMERS)
            if all(key in manifest["state_dict"] for key in family.signature)
        ]
        assert found == ["transformers" if "--" in name else "official"]
