"""The path of a checkpoint: read → detect → convert → measure → build."""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..checkpoint.detect import detect
from ..checkpoint.read import StateFile, read
from ..checkpoint.rules import convert
from ..errors import CheckpointError
from ..layers import Ops
from .families import FAMILIES
from .families.family import Family
from .hints import Hint, Requests, find_normalisation
from .inspection import Inspection
from .measure import Shapes, format_shape
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
    return _prepare(state, Requests(variant, max_depth, pretrained_window)).inspection


def load(
    path: str | Path,
    *,
    variant: str | None = None,
    max_depth: float | None = None,
    pretrained_window: int | Sequence[int] | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
    ops: Ops = nn,
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
        ops: namespace of layers, for hosts that manage the weights.

    Raises:
        CheckpointError: the file cannot be used; the message says why and what to do.

    Warns:
        UserWarning: a weight has NaN or infinite values.
    """
    state = read(path)
    prepared = _prepare(state, Requests(variant, max_depth, pretrained_window))
    compute = dtype or torch.float32
    for name in list(prepared.tensors):
        # One at a time, so that memory holds the weights once and not twice.
        prepared.tensors[name] = prepared.tensors[name].to(device, compute)
    broken = _not_finite(prepared)
    for text in broken:
        warnings.warn(text, stacklevel=2)
    net = _build(prepared, ops)
    inspection = replace(prepared.inspection, warnings=tuple(broken))
    return DepthModel(inspection.config, net, inspection, torch.device(device), compute)


class _Prepared(NamedTuple):
    inspection: Inspection
    tensors: dict[str, Tensor]  # converted
    origin: dict[str, str]  # converted name → the file's own
    file: str


def _prepare(state: StateFile, asked: Requests) -> _Prepared:
    """Detect, convert and measure."""
    file = state.path.name
    family = detect(state.tensors, FAMILIES, file)
    _refuse_others(family, asked, file)
    dtype = _common_dtype(state.tensors, file)
    around = Surroundings.of(state.path, state.metadata)
    plan = family.plan(state.tensors, around, asked)
    tensors, origin = convert(state.tensors, family.rules, plan.rows, file)
    config = family.configure(Shapes(tensors, origin, file), plan)
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
    )
    prepared = _Prepared(inspection, tensors, origin, file)
    _check_shapes(prepared)
    return prepared


def _refuse_others(family: Family, asked: Requests, file: str) -> None:
    for name, value in vars(asked).items():
        if value is not None and name not in family.accepts:
            raise CheckpointError(
                f"{file} is a {family.name} model, for which {name} means nothing; it was "
                f"{value!r}. Leave it open."
            )


def _common_dtype(tensors: dict[str, Tensor], file: str) -> str:
    counts: Counter[torch.dtype] = Counter()
    for name, tensor in tensors.items():
        if tensor.is_floating_point():
            counts[tensor.dtype] += tensor.numel()
        elif tensor.numel() > 1 and name.endswith(".weight"):
            raise CheckpointError(
                f"{file} stores {name} as {str(tensor.dtype).removeprefix('torch.')}: it is "
                "quantised. Use a float32, float16 or bfloat16 version of the file."
            )
    return str(counts.most_common(1)[0][0]).removeprefix("torch.") if counts else "float32"


def _check_shapes(prepared: _Prepared) -> None:
    """Compare every weight with the network that the configuration describes."""
    with torch.device("meta"):
        wanted = DPT(prepared.inspection.config).state_dict()
    for name, tensor in prepared.tensors.items():
        if name not in wanted:
            raise CheckpointError(
                f"{prepared.file} holds {prepared.origin[name]}, which a model of its kind and "
                "size does not have. Use the original checkpoint."
            )
        if tensor.shape != wanted[name].shape:
            found, expected = (format_shape(tuple(t.shape)) for t in (tensor, wanted[name]))
            raise CheckpointError(
                f"{prepared.file} has a wrong shape for {prepared.origin[name]}: {found} where "
                f"{expected} was expected. The file is damaged or is another model; use the "
                "original checkpoint."
            )
    missing = [name for name in wanted if name not in prepared.tensors]
    if missing:
        raise CheckpointError(
            f"{prepared.file} lacks the weights of {missing[0]}. Use the original checkpoint."
        )


def _not_finite(prepared: _Prepared) -> list[str]:
    return [
        f"{prepared.file} has NaN or infinite values in {prepared.origin[name]}; its depth may "
        "be empty. Download the file again."
        for name, tensor in prepared.tensors.items()
        if not torch.isfinite(tensor.sum(dtype=torch.float32))
    ]


def _build(prepared: _Prepared, ops: Ops) -> DPT:
    """The network with the file's weights in it: nothing initialised, nothing copied."""
    with torch.device("meta"):
        net = DPT(prepared.inspection.config, ops)
    net.load_state_dict(prepared.tensors, strict=True, assign=True)
    return net.eval().requires_grad_(False)
