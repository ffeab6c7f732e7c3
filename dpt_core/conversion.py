"""List a checkpoint's keys, and convert it to another key layout or number format."""

import os
import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from .checkpoint.build import cast_and_check
from .checkpoint.family import Family
from .checkpoint.hints import hint_notes
from .checkpoint.inspection import Inspection
from .checkpoint.prepare import Prepared
from .checkpoint.read import read
from .checkpoint.rules import expand, revert
from .checkpoint.shapes import format_dtype
from .depth.families import FAMILIES as DEPTH_FAMILIES
from .errors import CheckpointError
from .loading import inspect, prepare_any
from .sam.families import FAMILIES as SAM_FAMILIES


class KeyRow(NamedTuple):
    """One key of a checkpoint.

    Attributes:
        original: the key in the file.
        converted: the name in the network of the tensor, or of the tensor that it is merged into;
            a tensor that is split has several, joined by ``" + "``. None: no network uses it.
        shape: the tensor's shape in the file.
        dtype: its number format in the file, ``"float32"``, ``"float16"``, …
    """

    original: str
    converted: str | None
    shape: tuple[int, ...]
    dtype: str


def list_keys(path: str | Path, **overrides: Any) -> list[KeyRow]:
    """List every key of the model in a checkpoint, in file order.

    Args:
        path, overrides: as for `inspect`.

    Raises:
        CheckpointError: as for `inspect`.
    """
    state = read(path, header_only=True)
    found = {state.prefix + key: tensor for key, tensor in state.tensors.items()}
    prepared = prepare_any(state, **overrides)
    names = {
        prepared.prefix + key: None if rule.unused else " + ".join(rule.targets)
        for rule in expand(prepared.family.rules, prepared.rows)
        for key in rule.sources
    }
    return [
        KeyRow(key, names[key], tuple(tensor.shape), format_dtype(tensor.dtype))
        for key, tensor in found.items()
        if key in names
    ]


def convert_checkpoint(
    source: str | Path,
    target: str | Path,
    *,
    layout: str,
    dtype: torch.dtype | None = None,
    **overrides: Any,
) -> Inspection[Any]:
    """Write the same model as a safetensors file in another key layout or number format.

    Settings that the weights do not determine (the variant, the maximum depth in metres, Swin's
    windows, …) are stored in the new file's metadata if there is evidence for them. Tensors that
    no network uses are left out; unused layers that official loaders require are written as zeros.

    Args:
        source: the checkpoint, as for `load`.
        target: the .safetensors file to write; an existing file is replaced.
        layout: ``"official"`` or ``"transformers"``.
        dtype: the number format of the new file; None keeps that of each tensor.
        overrides: as for `load`.

    Returns:
        The inspection of the new file, with warnings about its values.

    Raises:
        CheckpointError: the source cannot be used, its family has no such layout, or the
            target cannot be written.
        TypeError: `dtype` is not a floating-point format.
    """
    source, target = Path(source), Path(target)
    if dtype is not None and not dtype.is_floating_point:
        raise TypeError(f"dtype is {dtype!r}; a floating-point torch.dtype was expected.")
    if target.suffix != ".safetensors":
        raise CheckpointError(
            f"{target.name} does not end in .safetensors, the only format that can be "
            "written. Choose a name that does."
        )
    own = source / target.name if source.is_dir() else source
    if own.exists() and target.exists() and own.samefile(target):
        raise CheckpointError(
            f"{target.name} is the checkpoint itself. Choose another name for the new file."
        )
    state = read(source)
    prepared = prepare_any(state, as_stored=True, **overrides)
    family = _in_layout(prepared, layout)
    notes = state.metadata | hint_notes(prepared.inspection.hints) | {"format": "pt"}
    if published := prepared.inspection.published:
        notes = {"license": published.licence} | notes
    warnings = _change_format(prepared, dtype) if dtype is not None else []
    tensors = revert(prepared.tensors, family.rules, prepared.rows)
    _write({key: tensor.contiguous() for key, tensor in tensors.items()}, target, notes)
    written = inspect(target)
    warnings += _differences(prepared.inspection, written)
    return replace(written, warnings=(*written.warnings, *warnings))


def _in_layout(prepared: Prepared, layout: str) -> Family:
    """The same family in another layout."""
    name = prepared.family.name
    families = {f.layout: f for f in (*DEPTH_FAMILIES, *SAM_FAMILIES) if f.name == name}
    if layout not in families:
        raise CheckpointError(
            f"{prepared.inspection.path.name} is {name}, which has no layout {layout!r}. "
            f"Choose {' or '.join(families)}."
        )
    return families[layout]


def _change_format(prepared: Prepared, dtype: torch.dtype) -> list[str]:
    """Change the number format in place; returns warnings about values that do not survive it."""
    exact = {name: prepared.tensors[name] for name in prepared.family.exact}
    file = prepared.inspection.path.name
    warnings = cast_and_check(prepared.tensors, prepared.origin, "cpu", dtype, file, "output")
    prepared.tensors.update(exact)
    return warnings


def _differences(source: Inspection[Any], target: Inspection[Any]) -> list[str]:
    """Warnings about hints that the new file's name, or a config.json beside it, would change."""
    before = {hint.name: hint.value for hint in source.hints}
    return [
        f"{target.path.name} is read with {hint.name} = {hint.value} ({hint.evidence}), but "
        f"{source.path.name} with {before[hint.name]}. Rename the new file, or set "
        f"{hint.name} whenever you load it."
        for hint in target.hints
        if hint.name in before and hint.value != before[hint.name]
    ]


def _write(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    """Write a safetensors file completely or not at all."""
    part = path.with_name(f".{secrets.token_hex(8)}.tmp")  # hidden from lists of checkpoints
    try:
        try:
            part.touch()
            mode = part.stat().st_mode
            save_file(tensors, part, metadata)
            part.chmod(mode)  # safetensors writes for the owner alone; servers have other users
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} could not be written ({error}). Choose an existing folder with free space."
        ) from error
