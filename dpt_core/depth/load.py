"""The path of a checkpoint: read → detect → convert → measure → build."""

import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..checkpoint.detect import detect
from ..checkpoint.read import StateFile, read
from ..checkpoint.rules import convert, count_blocks
from ..errors import CheckpointError
from ..layers import Ops
from .families import FAMILIES
from .families.family import Requests, block_rows
from .hints import Surroundings
from .inspection import Inspection
from .measure import Shapes
from .model import DepthModel
from .net import DPT


def inspect(
    path: str | Path, *, variant: str | None = None, max_depth: float | None = None
) -> Inspection:
    """What `load` would build from a file, without building it.

    Of a safetensors file the header alone is read; the size of the file does not matter.

    Raises:
        CheckpointError: as for `load`, but for what only the values can tell.
    """
    state = read(path, header_only=True)
    return _prepare(state, Requests(variant, max_depth)).inspection


def load(
    path: str | Path,
    *,
    variant: str | None = None,
    max_depth: float | None = None,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
    ops: Ops = nn,
) -> DepthModel:
    """Load a depth model from any supported checkpoint.

    Args:
        path: a .safetensors, .pth, .pt, .bin or .ckpt file.
        variant: ``"v1"`` or ``"v2"`` of Depth Anything; None decides by what is known of
            the file.
        max_depth: metres at the far end, which makes the model metric; None decides.
        dtype: what to compute in; None for float32. float16 files are exact in float32.
        device: where to compute.
        ops: namespace of layers, for hosts that manage the weights.

    Raises:
        CheckpointError: the file cannot be used; the message says why and what to do.

    Warns:
        UserWarning: a weight has NaN or infinite values.
    """
    state = read(path)
    prepared = _prepare(state, Requests(variant, max_depth))
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
    dtype = _common_dtype(state.tensors, file)
    around = Surroundings.of(state.path, state.metadata)
    blocks = count_blocks(state.tensors, family.block_pattern, file)
    hints = family.hints(around, asked, blocks)
    depths = family.stage_depths(blocks, hints, file)
    tensors, origin = convert(state.tensors, family.rules, block_rows(depths), file)
    config = family.configure(Shapes(tensors, origin, file), depths, hints)
    inspection = Inspection(
        path=state.path,
        family=config.family,
        layout=family.layout,
        config=config,
        hints=hints,
        parameters=sum(tensor.numel() for tensor in tensors.values()),
        dtype=dtype,
        bytes=state.path.stat().st_size,
    )
    prepared = _Prepared(inspection, tensors, origin, file)
    _check_shapes(prepared)
    return prepared


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
            found, expected = ("×".join(map(str, t.shape)) for t in (tensor, wanted[name]))
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
