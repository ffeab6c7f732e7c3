"""The same model in every layout of its family, there and back."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

import dpt_core
from dpt_core import CheckpointError
from dpt_core.checkpoint.family import Family
from dpt_core.checkpoint.read import StateFile
from dpt_core.checkpoint.rules import revert
from dpt_core.conversion import KeyRow, convert_checkpoint, list_keys
from dpt_core.depth.families import FAMILIES
from dpt_core.loading import prepare_any
from dpt_core.sam.families import FAMILIES as SAM_FAMILIES
from tests.builders import tiny_checkpoint, tiny_sam, write_checkpoint, write_depth_anything
from tests.published import empty_state

EVERY = (*FAMILIES, *SAM_FAMILIES)
# Every family with every layout that it has, its own included.
PAIRS = [(a, b) for a in EVERY for b in EVERY if a.name == b.name]
IDS = [f"{a.name}, {a.layout} to {b.layout}" for a, b in PAIRS]

# Keys that no network uses, and that are not written again.
LEFT_OUT = re.compile(
    r"pretrained\.model\.(norm|fc_norm|head)\.(weight|bias)"  # the encoder's own classifier
    r"|dpt\.layernorm\.(weight|bias)"
    r"|.*\.(relative_position_index|relative_coords_table|attn_mask)"  # loaders compute them
    r"|backbone\.pretrained\.mask_token"  # of Depth Anything 3, whose files lack it
    r"|prompt_encoder\.shared_embedding\.positional_embedding"  # another one is the same
)
# Layers that no network uses either, but that official loaders insist on: zeros.
ZEROS = re.compile(
    r".*scratch\.refinenet4\.resConfUnit1\..*|neck\.fusion_stage\.layers\.0\.residual_layer1\..*"
    r"|(pretrained|backbone\.embeddings)\.mask_token"
)


def checkpoint(family: Family, folder: Path) -> tuple[Path, dict[str, Tensor]]:
    """A tiny one of a family, in float32."""
    if family in FAMILIES:
        state = tiny_checkpoint(family)
    else:
        state = {key: tensor.float() for key, tensor in tiny_sam().items()}
        if family.layout == "transformers":
            path = write_checkpoint(folder / "official" / "model.pth", state)
            convert_checkpoint(path, folder / "sam.safetensors", layout="transformers")
            state = load_file(folder / "sam.safetensors")
            shared = state["shared_image_embedding.positional_embedding"].clone()
            state["prompt_encoder.shared_embedding.positional_embedding"] = shared
    return write_checkpoint(folder / "a" / "model.safetensors", state), state


def weights(path: Path) -> tuple[Any, dict[str, Tensor]]:
    is_depth = dpt_core.inspect(path).family != SAM_FAMILIES[0].name
    model = dpt_core.load(path) if is_depth else dpt_core.load_sam(path)
    return model.config, model.net.state_dict()


@pytest.mark.parametrize(("family", "other"), PAIRS, ids=IDS)
def test_there_and_back(family: Family, other: Family, tmp_path: Path) -> None:
    source, state = checkpoint(family, tmp_path)
    converted = tmp_path / "converted.safetensors"
    inspection = convert_checkpoint(source, converted, layout=other.layout)
    assert inspection == dpt_core.inspect(converted)
    assert inspection.layout == other.layout
    (config, network), (config_there, network_there) = weights(source), weights(converted)
    assert config == config_there
    assert network.keys() == network_there.keys()
    for name, weight in network.items():
        assert torch.equal(weight, network_there[name]), name

    back = tmp_path / "back.safetensors"
    convert_checkpoint(converted, back, layout=family.layout)
    again = load_file(back)
    if family.name == "MiDaS BEiT":
        state.pop("backbone.embeddings.mask_token", None)  # published files lack it
    assert again.keys() == {key for key in state if not LEFT_OUT.fullmatch(key)} | {
        key for key in again if ZEROS.fullmatch(key) and key not in state
    }
    for key, tensor in again.items():
        expected = torch.zeros_like(tensor) if ZEROS.fullmatch(key) else state[key]
        assert torch.equal(tensor, expected), key
        assert key not in state or tensor.shape == state[key].shape


# Published files of one model in two layouts.
TWINS = {
    "depth_anything_vitl14": "LiheYoung/depth-anything-large-hf",
    "depth_anything_v2_vits": "depth-anything/Depth-Anything-V2-Small-hf",
    "depth_anything_v2_metric_vkitti_vitb": (
        "depth-anything/Depth-Anything-V2-Metric-Outdoor-Base-hf"
    ),
    "dpt_beit_large_512": "Intel/dpt-beit-large-512",
    "dpt_large_384": "Intel/dpt-large",
    "dpt_hybrid_384": "Intel/dpt-hybrid-midas",
    "dpt_swin2_tiny_256": "Intel/dpt-swinv2-tiny-256",
}


@pytest.mark.parametrize(("official", "transformers"), TWINS.items())
def test_published_checkpoints_get_exactly_the_published_keys(
    official: str, transformers: str, manifests: dict[str, Any]
) -> None:
    for source, target in ((official, transformers), (transformers, official)):
        manifest = manifests[target]
        written = reverted(manifests[source], manifest["layout"])
        published = {
            key: tuple(shape)
            for key, (_, *shape) in manifest["state_dict"].items()
            if not LEFT_OUT.fullmatch(key) and key not in manifest["optional_keys"]
        }
        written = {key: s for key, s in written.items() if key not in manifest["optional_keys"]}
        if target == "Intel/dpt-large":  # the one file without the layers that it does not use
            written = {key: shape for key, shape in written.items() if not ZEROS.fullmatch(key)}
        assert written == published


def test_published_checkpoints_in_their_own_layout_stay_as_they_are(
    manifests: dict[str, Any],
) -> None:
    for name, manifest in manifests.items():
        written = reverted(manifest, manifest["layout"])
        published = {
            key.removeprefix("model."): tuple(shape)
            for key, (_, *shape) in manifest["state_dict"].items()
        }
        left_out = published.keys() - written.keys()
        assert all(LEFT_OUT.fullmatch(key) for key in left_out), name
        assert all(ZEROS.fullmatch(key) for key in written.keys() - published.keys()), name
        assert {key: published.get(key, shape) for key, shape in written.items()} == written, name


@pytest.mark.parametrize("size", ["b_01ec64", "l_0b3195", "h_4b8939"])
def test_published_sam_checkpoints_get_exactly_the_published_keys(
    size: str, sam_manifests: dict[str, Any]
) -> None:
    name = {"b": "base", "l": "large", "h": "huge"}[size[0]]
    official = sam_manifests[f"sam_vit_{size}"]
    transformers = sam_manifests[f"facebook--sam-vit-{name}"]
    for source, target, layout in (
        (official, transformers, "transformers"),
        (transformers, official, "official"),
    ):
        assert reverted(source, layout) == {
            key: tuple(shape)
            for key, (_, *shape) in target["state_dict"].items()
            if not LEFT_OUT.fullmatch(key)
        }


def reverted(manifest: dict[str, Any], layout: str) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of a published checkpoint in another layout, on the meta device."""
    file = StateFile(Path("file.pth"), empty_state(manifest), {}, 0)
    prepared = prepare_any(file, as_stored=True)
    (family,) = (f for f in EVERY if (f.name, f.layout) == (prepared.family.name, layout))
    named = revert(prepared.tensors, family.rules, prepared.rows)
    return {key: tuple(tensor.shape) for key, tensor in named.items()}


def test_what_the_weights_do_not_say_is_kept(tmp_path: Path) -> None:
    """Whatever the new file is called, and whatever was chosen."""
    source = write_depth_anything(tmp_path / "depth_anything_v2_metric_vkitti_vits.pth")
    target = tmp_path / "out" / "depth_anything_vits14.safetensors"
    target.parent.mkdir()
    choices: list[dict[str, Any]] = [{}, {"variant": "v1"}, {"max_depth": 7.5}]
    for overrides in choices:
        expected = dpt_core.inspect(source, **overrides).config
        written = convert_checkpoint(source, target, layout="transformers", **overrides)
        assert written.config == expected
        assert all("metadata" in hint.evidence for hint in written.hints)
    relative = write_depth_anything(tmp_path / "depth_anything_v2_vits.pth")
    target = tmp_path / "out" / "depth_anything_v2_metric_vkitti.safetensors"
    assert convert_checkpoint(relative, target, layout="official").config.max_depth is None


def test_windows_normalisation_and_notes_are_kept(tmp_path: Path) -> None:
    (swin,) = (f for f in FAMILIES if (f.name, f.layout) == ("MiDaS Swin V2", "official"))
    source = write_checkpoint(
        tmp_path / "here" / "model.safetensors", tiny_checkpoint(swin), {"author": "somebody"}
    )
    (source.parent / "config.json").write_text('{"model_type": "dpt"}')
    means = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.5, 0.6]}
    (source.parent / "preprocessor_config.json").write_text(json.dumps(means))
    target = tmp_path / "out.safetensors"
    written = convert_checkpoint(
        source, target, layout="transformers", pretrained_window=[12, 12, 12, 6]
    )
    assert written.config == dpt_core.inspect(source, pretrained_window=[12, 12, 12, 6]).config
    assert written.config.encoder.pretrained_window == (12, 12, 12, 6)
    assert written.config.image.mean == (0.1, 0.2, 0.3)
    with safe_open(target, "pt") as file:
        assert file.metadata()["author"] == "somebody"
        assert file.metadata()["window"] == "2"


def test_defaults_are_not_written_as_facts(tmp_path: Path) -> None:
    source = write_depth_anything(tmp_path / "model.safetensors")
    written = convert_checkpoint(source, tmp_path / "out.safetensors", layout="transformers")
    assert all(hint.is_default for hint in written.hints)
    assert written.warnings == ()
    named = tmp_path / "depth_anything_vits14.safetensors"  # says more than the old name
    (warning,) = convert_checkpoint(source, named, layout="official").warnings
    assert "depth_anything_vits14.safetensors is read with variant = v1" in warning
    assert "model.safetensors with v2" in warning


def test_the_number_format_changes_but_where_it_would_move_points(tmp_path: Path) -> None:
    source, _ = checkpoint(SAM_FAMILIES[0], tmp_path)
    target = tmp_path / "half.safetensors"
    convert_checkpoint(source, target, layout="official", dtype=torch.bfloat16)
    matrix = "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"
    for key, tensor in load_file(target).items():
        assert tensor.dtype == (torch.float32 if key == matrix else torch.bfloat16), key


def test_values_that_are_too_large_are_named(tmp_path: Path) -> None:
    state = tiny_checkpoint(FAMILIES[0])
    state["pretrained.norm.bias"][0] = 1e6
    source = write_checkpoint(tmp_path / "large.safetensors", state)
    target = tmp_path / "half.safetensors"
    written = convert_checkpoint(source, target, layout="official", dtype=torch.float16)
    assert len(written.warnings) == 1
    assert "pretrained.norm.bias that are too large for float16" in written.warnings[0]
    assert written.dtype == "float16"


def test_impossible_conversions_are_refused_and_leave_no_file(tmp_path: Path) -> None:
    source = write_depth_anything(tmp_path / "depth_anything_v2_vits.safetensors")
    swin = next(family for family in FAMILIES if family.name == "MiDaS Swin")
    single = write_checkpoint(tmp_path / "swin.safetensors", tiny_checkpoint(swin))
    write_depth_anything(tmp_path / "folder" / "model.safetensors")
    out = tmp_path / "out.safetensors"
    before = sorted(tmp_path.iterdir())
    for arguments, message in (
        ((source, tmp_path / "out.pth", "official"), r"out\.pth does not end in \.safetensors"),
        ((source, source, "official"), "is the checkpoint itself"),
        ((tmp_path / "folder", tmp_path / "folder" / "model.safetensors", "official"), "itself"),
        ((source, out, "diffusers"), "no layout 'diffusers'. Choose official or transformers"),
        ((single, out, "transformers"), "no layout 'transformers'. Choose official"),
        ((tmp_path / "none.pth", out, "official"), "There is no file"),
        ((source, tmp_path / "no" / "out.safetensors", "official"), "could not be written"),
    ):
        path, target, layout = arguments
        with pytest.raises(CheckpointError, match=message):
            convert_checkpoint(path, target, layout=layout)
    with pytest.raises(TypeError, match="floating-point"):
        convert_checkpoint(source, out, layout="official", dtype=torch.int8)
    assert sorted(tmp_path.iterdir()) == before


def test_the_new_file_is_as_open_as_any_other(tmp_path: Path) -> None:
    source, _ = checkpoint(FAMILIES[0], tmp_path)
    target, other = tmp_path / "out.safetensors", tmp_path / "other"
    convert_checkpoint(source, target, layout=FAMILIES[0].layout)
    other.touch()
    assert target.stat().st_mode == other.stat().st_mode


def test_keys_are_listed_in_the_files_order(tmp_path: Path) -> None:
    state = {f"net.model.{key}": tensor for key, tensor in tiny_checkpoint(FAMILIES[2]).items()}
    path = write_checkpoint(tmp_path / "wrapped.pth", state | {"step": torch.ones(1)})
    rows = list_keys(path)
    assert [row.original for row in rows] == list(state)
    found = {row.original.removeprefix("net.model."): row for row in rows}
    layer = "backbone.encoder.layer.3.attention.attention"
    assert found[f"{layer}.key.weight"] == KeyRow(
        f"net.model.{layer}.key.weight",
        "imgencoder.stages.3.blocks.0.attn.qkv.weight",
        (64, 64),
        "float32",
    )
    assert found["backbone.embeddings.mask_token"].converted is None
    assert found["backbone.embeddings.position_embeddings"].converted == (
        "imgencoder.posenc.cls_embedding + imgencoder.posenc.base_patch_embedding"
    )
    assert {row.converted for row in list_keys(checkpoint(SAM_FAMILIES[0], tmp_path)[0])} == set(
        dpt_core.load_sam(tmp_path / "a" / "model.safetensors").net.state_dict()
    )
