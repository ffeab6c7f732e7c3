"""The path of a Segment Anything checkpoint: read → detect → convert → measure → build."""

import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ..checkpoint.build import assemble, check_shapes, common_dtype, move_weights
from ..checkpoint.detect import detect, find_model
from ..checkpoint.read import StateFile, read
from ..checkpoint.rules import convert
from ..checkpoint.shapes import Shapes
from ..depth.families import FAMILIES as DEPTH_FAMILIES
from ..errors import CheckpointError
from ..layers import Ops, default
from .families import FAMILIES, GAUSSIAN, NAME, find_rows
from .inspection import SAMInspection
from .measure import fit_positions, measure
from .model import SamModel
from .net import SAM


def load_sam(
    path: str | Path,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
    ops: Ops = default,
) -> SamModel:
    """Load a Segment Anything v1 model from any supported checkpoint.

    Args:
        path: a .safetensors, .pth, .pt, .bin or .ckpt file, or a folder of the Hugging
            Face kind.
        dtype: what to compute in; None for float32. float16 files are exact in float32.
        device: where to compute.
        ops: namespace of layers, for hosts that manage the weights.

    Raises:
        CheckpointError: the file cannot be used; the message says why and what to do.

    Warns:
        UserWarning: a weight has NaN or infinite values, or values too large for `dtype`.
    """
    state = read(path)
    prepared = prepare(state)
    tensors, compute = prepared.tensors, dtype or torch.float32
    places = tensors[GAUSSIAN].to(device, torch.float32)
    broken = move_weights(tensors, prepared.origin, device, compute, state.path.name, "masks")
    tensors[GAUSSIAN] = places  # rounded to half precision it would move every point
    for text in broken:
        warnings.warn(text, stacklevel=2)
    inspection = replace(prepared.inspection, warnings=(*prepared.inspection.warnings, *broken))
    net = assemble(partial(SAM, inspection.config, ops), tensors)
    return SamModel(inspection.config, net, inspection, torch.device(device), compute)


def inspect_sam(path: str | Path) -> SAMInspection:
    """What `load_sam` would build from a file, without building it.

    Of a safetensors file the header alone is read; the size of the file does not matter.

    Raises:
        CheckpointError: as for `load_sam`, but for what only the values can tell.
    """
    return prepare(read(path, header_only=True)).inspection


def is_sam(state: StateFile) -> bool:
    """Whether a file has all the keys by which Segment Anything is recognised."""
    tensors = find_model(state, FAMILIES).tensors
    return any(all(key in tensors for key in family.signature) for family in FAMILIES)


class Prepared(NamedTuple):
    """A file that is understood, before the network is built.

    Attributes:
        inspection: what it is.
        tensors: its weights under the common names.
        origin: for each of those the file's own name.
    """

    inspection: SAMInspection
    tensors: dict[str, Tensor]
    origin: dict[str, str]


def prepare(state: StateFile) -> Prepared:
    """Detect, convert and measure.

    Raises:
        CheckpointError: the file is not a Segment Anything model, or is damaged.
    """
    file = state.path.name
    _refuse_depth(state, file)
    state = find_model(state, FAMILIES)
    family = detect(state.tensors, FAMILIES, file, kind="segmentation model")
    dtype = common_dtype(state.tensors)
    rows = find_rows(state.tensors, family, file)
    tensors, origin = convert(state.tensors, family.rules, rows, file)
    shapes = Shapes(tensors, origin, file)
    config = measure(shapes)
    fit_positions(tensors, shapes, config.encoder)
    inspection = SAMInspection(
        path=state.path,
        family=family.name,
        layout=family.layout,
        config=config,
        hints=(),
        parameters=sum(tensor.numel() for tensor in tensors.values()),
        dtype=dtype,
        bytes=state.bytes,
        warnings=state.warnings,
    )
    check_shapes(tensors, origin, partial(SAM, config), file)
    return Prepared(inspection, tensors, origin)


def _refuse_depth(state: StateFile, file: str) -> None:
    for family in DEPTH_FAMILIES:
        if all(key in state.tensors for key in family.signature):
            raise CheckpointError(
                f"{file} is a depth model ({family.name}), where {NAME} was expected. Load it "
                "as a depth model, or choose a checkpoint such as sam_vit_b_01ec64.pth."
            )
