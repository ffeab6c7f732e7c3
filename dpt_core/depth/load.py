"""The path of a checkpoint: read → detect → convert → measure → build."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..checkpoint.build import assemble, check_shapes, common_dtype, move_weights
from ..checkpoint.detect import detect, find_model
from ..checkpoint.read import StateFile, read
from ..checkpoint.rules import convert
from ..checkpoint.shapes import Shapes
from ..errors import CheckpointError
from ..layers import Ops, default
from .families import FAMILIES
from .families.family import Family
from .hints import Hint, Requests, find_normalisation
from .inspection import Inspection
from .model import DepthModel
from .net import DPT
from .surroundings import Surroundings


def inspect(
    path: str | Path,
    *,
    variant: str | None = None,
    max_depth: float | None = None,
    pretrained_window: int | Sequence[int] | None = None,
) -> Inspection:
    """What `load` would build from a file, without building it.

    Of a safetensors file the header alone is read; the size of the file does not matter.

    Raises:
        CheckpointError: as for `load`, but for what only the values can tell.
    """
    state = read(path, header_only=True)
    return inspect_state(state, Requests(variant, max_depth, pretrained_window))


def inspect_state(state: StateFile, asked: Requests) -> Inspection:
    """As `inspect`, of a file that is read already; its tensors are used up.

    Raises:
        CheckpointError: as for `inspect`.
    """
    return _prepare(state, asked).inspection


def load(
    path: str | Path,
    *,
    variant: str | None = None,
    max_depth: float | None = None,
    pretrained_window: int | Sequence[int] | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
    ops: Ops = default,
) -> DepthModel:
    """Load a depth model from any supported checkpoint.

    Args:
        path: a .safetensors, .pth, .pt, .bin or .ckpt file, or a folder of the Hugging
            Face kind.
        variant: ``"v1"`` or ``"v2"`` of Depth Anything; None decides by what is known of
            the file.
        max_depth: metres at the far end, which makes a Depth Anything model metric; None
            decides.
        pretrained_window: of Swin V2, one number or one a stage; None decides.
        dtype: what to compute in; None for float32. float16 files are exact in float32.
        device: where to compute.
        ops: namespace of layers, for hosts that manage the weights; other than torch.nn's own,
            they must cast them to the number format of their input.

    Raises:
        CheckpointError: the file cannot be used; the message says why and what to do.

    Warns:
        UserWarning: a weight has NaN or infinite values, or values too large for `dtype`.
    """
    state = read(path)
    prepared = _prepare(state, Requests(variant, max_depth, pretrained_window))
    compute = dtype or torch.float32
    broken = move_weights(
        prepared.tensors, prepared.origin, device, compute, state.path.name, "depth"
    )
    for text in broken:
        warnings.warn(text, stacklevel=2)
    inspection = replace(prepared.inspection, warnings=(*prepared.inspection.warnings, *broken))
    net = assemble(partial(DPT, inspection.config, ops), prepared.tensors)
    casts_weights = ops not in (default, nn)
    place = torch.device(device)
    return DepthModel(inspection.config, net, inspection, place, compute, casts_weights)


class _Prepared(NamedTuple):
    inspection: Inspection
    tensors: dict[str, Tensor]  # converted
    origin: dict[str, str]  # converted name → the file's own


def _prepare(state: StateFile, asked: Requests) -> _Prepared:
    """Detect, convert and measure."""
    file = state.path.name
    state = find_model(state, FAMILIES)
    family = detect(state.tensors, FAMILIES, file)
    _refuse_others(family, asked, file)
    dtype = common_dtype(state.tensors)
    around = Surroundings.of(state.path, state.metadata)
    plan = family.plan(state.tensors, around, asked)
    tensors, origin = convert(state.tensors, family.rules, plan.rows, file)
    config = family.configure(Shapes(tensors, origin, file), plan)
    if config.image.multiple % config.encoder.multiple:
        raise CheckpointError(
            f"{file} has an encoder for images whose sides are multiples of "
            f"{config.encoder.multiple} pixels, and {config.family} makes them multiples of "
            f"{config.image.multiple}. It is damaged or another model; use the original checkpoint."
        )
    hints: tuple[Hint[Any], ...] = plan.hints
    normalisation = find_normalisation(around)
    if normalisation is not None:
        mean, std = normalisation.value
        config = replace(config, image=replace(config.image, mean=mean, std=std))
        hints = (*hints, normalisation)
    inspection = Inspection(
        path=state.path,
        family=config.family,
        layout=family.layout,
        config=config,
        hints=hints,
        parameters=sum(tensor.numel() for tensor in tensors.values()),
        dtype=dtype,
        bytes=state.bytes,
        warnings=state.warnings,
    )
    check_shapes(tensors, origin, partial(DPT, config), file)
    return _Prepared(inspection, tensors, origin)


def _refuse_others(family: Family, asked: Requests, file: str) -> None:
    for name, value in vars(asked).items():
        if value is not None and name not in family.accepts:
            raise CheckpointError(
                f"{file} is a {family.name} model, for which {name} means nothing; it was "
                f"{value!r}. Leave it open."
            )
