"""The loading pipeline of every model: read → detect → convert → measure → build."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..layers import Ops
from .build import assemble, cast_and_check, check_shapes, main_dtype
from .context import FileContext
from .detect import detect, find_model
from .family import Family
from .hints import Overrides
from .inspection import Inspection
from .read import StateFile
from .rules import Row, convert
from .shapes import Shapes

DType = torch.dtype | Callable[[Inspection[Any]], torch.dtype] | None


class Prepared(NamedTuple):
    """A checkpoint that has been identified and converted, before its network is built.

    Attributes:
        family: its family.
        inspection: its description.
        tensors: its weights by converted name.
        origin: the key in the file for each converted name.
        rows: values for the fields in the family's rules, one row per block.
        prefix: what was removed from the front of the file's keys.
    """

    family: Family
    inspection: Inspection[Any]
    tensors: dict[str, Tensor]
    origin: dict[str, str]
    rows: Sequence[Row]
    prefix: str


def prepare(
    state: StateFile,
    families: Sequence[Family],
    overrides: Overrides,
    kind: str,
    *,
    as_stored: bool = False,
) -> Prepared:
    """Detect, convert and measure a file; empties the tensors of `state`.

    Args:
        state: the file.
        families: the families to choose from.
        overrides: what the user chose.
        kind: what all the families are, for messages: ``"depth model"``.
        as_stored: skip the family's last change to the weights (`Family.adapt`).

    Raises:
        CheckpointError: the file belongs to none of them, or is damaged.
    """
    file = state.path.name
    state = find_model(state, families)
    family = detect(state.tensors, families, file, kind)
    overrides.check(family.accepts, family.name, file)
    dtype = main_dtype(state.tensors)
    context = FileContext.of(state.path, state.metadata)
    plan = family.plan(state.tensors, context, overrides)
    tensors, origin = convert(state.tensors, family.rules, plan.rows, file)
    shapes = Shapes(tensors, origin, file)
    config = family.configure(shapes, plan)
    adapted = dict(tensors) if as_stored else tensors
    family.adapt(adapted, shapes, config)
    inspection = Inspection(
        path=state.path,
        family=getattr(config, "family", family.name),
        layout=family.layout,
        config=config,
        hints=plan.hints,
        parameters=sum(tensor.numel() for tensor in adapted.values()),
        dtype=dtype,
        bytes=state.bytes,
        warnings=state.warnings,
    )
    check_shapes(adapted, origin, partial(family.build, config), file)
    return Prepared(family, inspection, tensors, origin, plan.rows, state.prefix)


class Built(NamedTuple):
    """A network that holds the file's weights.

    Attributes:
        net: the network.
        inspection: its description, with warnings about its values.
        dtype: the number format that it computes in.
    """

    net: nn.Module
    inspection: Inspection[Any]
    dtype: torch.dtype


def build(
    prepared: Prepared, dtype: DType, device: torch.device | str, ops: Ops, result: str
) -> Built:
    """Build the network of a prepared file; takes over its tensors.

    Args:
        prepared: the file.
        dtype: the number format to compute in, or a function that chooses it by the inspection;
            None for float32.
        device: where to compute.
        ops: namespace of layers.
        result: what damaged weights would spoil, for messages: ``"depth"``.

    Raises:
        TypeError: `dtype` is not a floating-point format.
    """
    inspection, tensors = prepared.inspection, prepared.tensors
    chosen = dtype(inspection) if callable(dtype) else dtype or torch.float32
    if not isinstance(chosen, torch.dtype) or not chosen.is_floating_point:
        raise TypeError(f"dtype is {chosen!r}; a floating-point torch.dtype was expected.")
    exact = {name: tensors[name].to(device, torch.float32) for name in prepared.family.exact}
    file = inspection.path.name
    broken = cast_and_check(tensors, prepared.origin, device, chosen, file, result)
    net = assemble(partial(prepared.family.build, inspection.config, ops), tensors | exact)
    warnings = (*inspection.warnings, *broken)
    return Built(net, replace(inspection, warnings=warnings), chosen)


def find_family(state: StateFile, families: Sequence[Family]) -> Family | None:
    """The family whose complete signature is in the file, or None."""
    tensors = find_model(state, families).tensors
    return next((family for family in families if family.matches(tensors)), None)
