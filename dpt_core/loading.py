"""Load or inspect any supported checkpoint: the entry points for depth and for masks."""

import warnings
from pathlib import Path
from typing import Any, cast

import torch

from .checkpoint.family import Family
from .checkpoint.hints import Overrides
from .checkpoint.inspection import Inspection
from .checkpoint.prepare import DType, Prepared, build, find_family, prepare
from .checkpoint.read import StateFile, read
from .depth.families import FAMILIES as DEPTH_FAMILIES
from .depth.network import DPT
from .errors import CheckpointError
from .estimate.model import DepthModel
from .layers import Ops, cpu
from .sam.families import FAMILIES as SAM_FAMILIES
from .sam.model import SamModel
from .sam.network import SAM


def inspect(path: str | Path, **overrides: Any) -> Inspection[Any]:
    """Describe what `load` or `load_sam` would build from a file, without building it.

    Only the header of a safetensors file is read, so its size does not matter.

    Args:
        path: as for `load`.
        overrides: as for `load`.

    Raises:
        CheckpointError: as for `load` and `load_sam`, except for faults that only the values
            show.
    """
    return prepare_any(read(path, header_only=True), **overrides).inspection


def load(
    path: str | Path,
    *,
    dtype: DType = None,
    device: torch.device | str = "cpu",
    ops: Ops = cpu,
    **overrides: Any,
) -> DepthModel:
    """Load a depth model from any supported checkpoint.

    Args:
        path: a .safetensors, .pth, .pt, .bin or .ckpt file, or a folder as downloaded from
            Hugging Face.
        dtype: the number format to compute in, or a function that chooses it by the
            `Inspection`; None for float32, which holds float16 weights exactly.
        device: where to compute.
        ops: namespace of layers, for hosts that manage the weights. Layers other than
            torch.nn's own must cast their weights to the number format of their input.
        overrides: ``variant``, ``max_depth``, ``pretrained_window``: settings that the weights do
            not determine, for files whose evidence is missing or wrong; see `Overrides`.

    Raises:
        CheckpointError: the file cannot be used; the message says why and what to do.
        TypeError: `dtype` is not a floating-point format.

    Warns:
        UserWarning: a weight has NaN or infinite values, or values too large for `dtype`.
    """
    prepared = prepare(read(path), DEPTH_FAMILIES, Overrides(**overrides), "depth model")
    built = build(prepared, dtype, device, ops, "depth")
    _warn(built.inspection, prepared.inspection)
    return DepthModel(
        config=built.inspection.config,
        net=cast(DPT, built.net),
        inspection=built.inspection,
        device=torch.device(device),
        dtype=built.dtype,
        casts_weights=ops not in (cpu, torch.nn),
    )


def load_sam(
    path: str | Path,
    *,
    dtype: DType = None,
    device: torch.device | str = "cpu",
    ops: Ops = cpu,
) -> SamModel:
    """Load a Segment Anything v1 model from any supported checkpoint.

    Args:
        path, dtype, device, ops: as for `load`.

    Raises:
        CheckpointError: the file cannot be used; the message says why and what to do.
        TypeError: `dtype` is not a floating-point format.

    Warns:
        UserWarning: a weight has NaN or infinite values, or values too large for `dtype`.
    """
    prepared = _prepare_sam(read(path), Overrides())
    built = build(prepared, dtype, device, ops, "masks")
    _warn(built.inspection, prepared.inspection)
    return SamModel(
        config=built.inspection.config,
        net=cast(SAM, built.net),
        inspection=built.inspection,
        device=torch.device(device),
        dtype=built.dtype,
    )


def prepare_any(state: StateFile, *, as_stored: bool = False, **overrides: Any) -> Prepared:
    """Detect, convert and measure a file of any supported kind; empties its tensors.

    Args:
        state: the file.
        as_stored: skip the family's last change to the weights (`Family.adapt`).
        overrides: as for `load`.

    Raises:
        CheckpointError: the file cannot be used.
    """
    chosen = Overrides(**overrides)
    if find_family(state, SAM_FAMILIES):
        return _prepare_sam(state, chosen, as_stored)
    return prepare(state, DEPTH_FAMILIES, chosen, "depth model", as_stored=as_stored)


def _prepare_sam(state: StateFile, overrides: Overrides, as_stored: bool = False) -> Prepared:
    other: Family | None = find_family(state, DEPTH_FAMILIES)
    if other is not None:
        raise CheckpointError(
            f"{state.path.name} is a depth model ({other.name}), but {SAM_FAMILIES[0].name} was "
            "expected. Load it as a depth model, or choose a checkpoint such as "
            "sam_vit_b_01ec64.pth."
        )
    return prepare(state, SAM_FAMILIES, overrides, "segmentation model", as_stored=as_stored)


def _warn(built: Inspection[Any], prepared: Inspection[Any]) -> None:
    for text in built.warnings[len(prepared.warnings) :]:
        warnings.warn(text, stacklevel=3)
