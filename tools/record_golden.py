"""A golden record: what a model's official code gives on a tiny network, to hold this pack against.

``python -m tools.record_golden --help`` shows an example, and ``docs/adding-a-family.md`` the work
around it. The official code is imported and run; a checkpoint never is: it is read as data. The
form of a record is that of ``tests/fixtures/README.md``.
"""

import argparse
import copy
import importlib
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from dpt_core.checkpoint.read import read
from dpt_core.checkpoint.shapes import format_dtype, format_shape
from dpt_core.errors import CheckpointError
from tests.parity.records import is_weight, relative_error, seeded

DESCRIPTION = """\
Run a model's official code on a tiny network and record what it gives, as NAME.safetensors and
NAME.json, for tests/parity. Results are float32 on one CPU thread with plain attention."""

EXAMPLE = """\
The factory is a function without arguments that returns the official nn.Module, made small. For
Depth Anything V2, with its official code cloned into out/Depth-Anything-V2, out/tiny_v2.py is:

  from functools import partial
  from depth_anything_v2 import dpt
  from depth_anything_v2.dinov2 import Block, DinoVisionTransformer, MemEffAttention

  def make():
      dpt.DINOv2 = lambda model_name: DinoVisionTransformer(
          img_size=70, patch_size=14, embed_dim=64, depth=12, num_heads=1, mlp_ratio=2,
          init_values=1.0, block_fn=partial(Block, attn_class=MemEffAttention), block_chunks=0)
      return dpt.DepthAnythingV2("vits", features=10, out_channels=[6, 10, 14, 18])

Record every map at a wide size, and the depth alone at the others:

  PYTHONPATH=out:out/Depth-Anything-V2 python -m tools.record_golden \\
    out/golden/depth_anything_v2_new \\
    --factory tiny_v2:make --family depth_anything_v2 --layout official \\
    --source "DepthAnything/Depth-Anything-V2 a561b84" \\
    --cases base=70x70 wide=56x84 tall=112x42 odd=98x70 batch2=2x42x70 --all-in wide \\
    --record "stage{call}=pretrained.norm" fusion1=depth_head.scratch.refinenet1 \\
             head_logits=depth_head.scratch.output_conv2.2 \\
    --last depth_head.scratch.output_conv2.2

Then compare the pack with it:

  DPT_GOLDEN=out/golden python -m pytest tests/parity/test_golden.py -k depth_anything_v2_new"""

Shape = tuple[int, ...]


class RecordError(Exception):
    """The record cannot be made as it was asked for; the message says why."""


@dataclass(frozen=True)
class Recording:
    """What to record.

    Attributes:
        family: of the tests, such as ``depth_anything_v2``.
        layout: whose names the weights have, ``official`` or ``transformers``.
        source: the official code and its version.
        cases: shapes B×3×H×W of the inputs, by name.
        modules: modules of the network whose outputs are recorded, by the record's names for
            them; ``{call}`` in a name counts the calls of a module that is run several times.
        all_in: the case in which those are recorded; the others have the depth alone.
        output: the key of the depth in what the network returns; None: it returns the depth.
        last: the last convolution before the last activation; seeded weights of it are scaled.
        logits: mean and standard deviation that its output is brought to in the first case.
        seed: of seeded weights and inputs.
        config: what the tests must know beside the weights; ``config.json`` for transformers.
    """

    family: str
    layout: str
    source: str
    cases: Mapping[str, Shape]
    modules: Mapping[str, str] = field(default_factory=dict)
    all_in: str | None = None
    output: str | None = None
    last: str | None = None
    logits: tuple[float, float] = (3.0, 1.0)
    seed: int = 0
    config: Mapping[str, Any] = field(default_factory=dict)


class Golden(NamedTuple):
    """A record that is ready to be written: its tensors, and the JSON beside them."""

    tensors: dict[str, Tensor]
    notes: dict[str, Any]

    def write(self, target: Path) -> None:
        """Write TARGET.safetensors and TARGET.json."""
        target.parent.mkdir(parents=True, exist_ok=True)
        tensors = {name: tensor.contiguous() for name, tensor in self.tensors.items()}
        save_file(tensors, target.with_name(f"{target.name}.safetensors"))
        notes = json.dumps(self.notes, indent=1, ensure_ascii=False)
        # A shape on one line.
        notes = re.sub(r"\[\n([^][{}]*)\]", lambda match: f"[{' '.join(match[1].split())}]", notes)
        target.with_name(f"{target.name}.json").write_text(notes + "\n", encoding="utf-8")


def record_golden(
    model: nn.Module,
    recording: Recording,
    checkpoint: Mapping[str, Tensor] | None = None,
    manifest: Mapping[str, Sequence[Any]] | None = None,
) -> Golden:
    """Run a network and record its results.

    Args:
        model: the official network; its weights are replaced.
        recording: what to record.
        checkpoint: its weights, which the record then holds; None: seeded ones, which every
            reader of the record makes again from their names.
        manifest: key → number format and sides of the seeded weights; None: those of the network.

    Raises:
        RecordError: weights and network do not fit, or the network does not give what is recorded.
    """
    if recording.all_in is not None and recording.all_in not in recording.cases:
        raise RecordError(f"There is no case {recording.all_in}; choose one of the cases.")
    model = model.eval().requires_grad_(False)
    own = model.state_dict()
    entries = manifest or {key: [format_dtype(t.dtype), *t.shape] for key, t in own.items()}
    shapes = {key: tuple(shape) for key, (_, *shape) in entries.items()}
    if checkpoint is not None:
        shapes = {key: tuple(tensor.shape) for key, tensor in checkpoint.items()}
    _compare({key: tuple(tensor.shape) for key, tensor in own.items()}, shapes)
    made = {f"in.{case}": ["float32", *shape] for case, shape in recording.cases.items()}
    stored: dict[str, Tensor] = {}
    if checkpoint is not None:
        stored = {f"sd.{key}": tensor for key, tensor in checkpoint.items()}
    else:
        made |= {f"sd.{key}": list(entry) for key, entry in entries.items()}
    tensors = {name: seeded(name, *entry, seed=recording.seed) for name, entry in made.items()}
    tensors |= stored
    _load(model, tensors)
    if recording.last is not None and checkpoint is None:
        for key, tensor in _scale_last(model, recording, tensors).items():
            stored[f"sd.{key}"] = tensors[f"sd.{key}"] = tensor.to(tensors[f"sd.{key}"].dtype)
            del made[f"sd.{key}"]
        _load(model, tensors)
    results, noise = _run_cases(model, recording, tensors)
    notes = {
        "family": recording.family,
        "layout": recording.layout,
        "source": recording.source,
        "seed": recording.seed,
        "config": dict(recording.config),
        "cases": {case: list(shape) for case, shape in recording.cases.items()},
        "versions": {"torch": torch.__version__},
        "seeded": {name: made[name] for name in sorted(made)},
        "stats": {name: _measure(result) for name, result in results.items()},
        "float64_noise": noise,
    }
    return Golden(stored | results, notes)


def _compare(network: Mapping[str, Shape], weights: Mapping[str, Shape]) -> None:
    """Whether the weights are those of the network."""
    for have, need, what in ((weights, network, "lacks"), (network, weights, "has no place for")):
        if missing := [key for key in need if key not in have]:
            owner = "The state dict" if what == "lacks" else "The network"
            raise RecordError(
                f"{owner} {what} {missing[0]} ({len(missing)} such keys). Make the network of the "
                "factory as large as that of the weights."
            )
    for key, shape in weights.items():
        if shape != network[key]:
            raise RecordError(
                f"{key} is {format_shape(shape)} in the state dict and "
                f"{format_shape(network[key])} in the network of the factory."
            )


def _load(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put the weights into the network; its position indices and masks stay its own."""
    weights = {
        key: tensors[f"sd.{key}"] if is_weight(key, own.dtype) else own
        for key, own in model.state_dict().items()
    }
    model.load_state_dict(weights, strict=True)


def _scale_last(
    model: nn.Module, recording: Recording, tensors: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Weight and bias of the last convolution, so that the activation behind it loses nothing."""
    name = recording.last or ""
    first = next(iter(recording.cases))
    logits = _run(model, tensors[f"in.{first}"], {"logits": name}, recording.output)["logits"]
    mean, std = recording.logits
    if not {f"sd.{name}.weight", f"sd.{name}.bias"} <= tensors.keys():
        raise RecordError(f"{name} has no weight and bias of its own; name the convolution itself.")
    scale = std / logits.std()
    weight, bias = (tensors[f"sd.{name}.{end}"].float() for end in ("weight", "bias"))
    return {
        f"{name}.weight": weight * scale,
        f"{name}.bias": (bias - logits.mean()) * scale + mean,
    }


def _run_cases(
    model: nn.Module, recording: Recording, tensors: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], dict[str, float]]:
    """All results in float32, and how far each is from the same in float64."""
    exact_model = copy.deepcopy(model).double()
    all_in = recording.all_in or next(iter(recording.cases))
    results: dict[str, Tensor] = {}
    noise: dict[str, float] = {}
    for case in recording.cases:
        modules = recording.modules if case == all_in else {}
        images = tensors[f"in.{case}"]
        found = _run(model, images, modules, recording.output)
        exact = _run(exact_model, images.double(), modules, recording.output)
        for name, result in found.items():
            results[f"out.{case}.{name}"] = result
            noise[f"out.{case}.{name}"] = relative_error(result, exact[name].float())
    return results, noise


def _run(
    model: nn.Module, images: Tensor, modules: Mapping[str, str], output: str | None
) -> dict[str, Tensor]:
    """The depth and the outputs of some modules, none of which changes afterwards."""
    calls: dict[str, list[Tensor]] = {name: [] for name in modules}
    handles = []
    for name, path in modules.items():
        try:
            module = model.get_submodule(path)
        except AttributeError as error:
            raise RecordError(f"The network has no module {path} to record as {name}.") from error
        handles.append(module.register_forward_hook(_collect(calls[name], path)))
    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
            depth = model(images.clone())
    finally:
        for handle in handles:
            handle.remove()
    depth = depth if output is None else depth[output]
    if not isinstance(depth, Tensor):
        raise RecordError(
            f"The network returns a {type(depth).__name__}, not a tensor. Name the entry that is "
            "the depth with --output, or return it alone from a module of your own."
        )
    found: dict[str, Tensor] = {}
    for name, results in calls.items():
        if len(results) != 1 and "{call}" not in name:
            raise RecordError(
                f"{modules[name]} is called {len(results)} times. Put {{call}} into the name "
                f"{name}, or record another module."
            )
        found |= {name.replace("{call}", str(i)): r for i, r in enumerate(results, start=1)}
    return found | {"depth": depth}


def _collect(results: list[Tensor], path: str) -> Callable[..., None]:
    """A hook that keeps a copy of what a module returns."""

    def hook(_module: nn.Module, _inputs: Any, result: Any) -> None:
        if not isinstance(result, Tensor):
            raise RecordError(
                f"{path} returns a {type(result).__name__}, not a tensor. Record a module in it."
            )
        results.append(result.detach().clone())  # an in-place ReLU may come next

    return hook


def _measure(result: Tensor) -> list[float]:
    """Mean and standard deviation."""
    return [round(result.mean().item(), 6), round(result.std().item(), 6)]


def _report(golden: Golden) -> str:
    """A line for each result: is it alive, and is the official code itself exact enough?"""
    lines = [f"{'result':32}{'mean':>10}{'std':>10}{'float64 noise':>16}{'zeros':>8}"]
    for name, (mean, std) in golden.notes["stats"].items():
        zeros = (golden.tensors[name] == 0).float().mean().item()
        noise = golden.notes["float64_noise"][name]
        lines.append(f"{name:32}{mean:10.4f}{std:10.4f}{noise:16.1e}{zeros:8.0%}")
    return "\n".join(lines)


def _case(text: str) -> tuple[str, Shape]:
    """``NAME=HxW`` or ``NAME=BxHxW``."""
    name, _, sides = text.partition("=")
    numbers = tuple(int(side) for side in sides.split("x"))
    if not name or len(numbers) not in (2, 3) or min(numbers) < 1:
        raise ValueError(text)
    *batch, height, width = numbers
    return name, (batch[0] if batch else 1, 3, height, width)


def _module(text: str) -> tuple[str, str]:
    """``NAME=MODULE``."""
    name, separator, path = text.partition("=")
    if not (name and separator and path):
        raise ValueError(text)
    return name, path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.record_golden",
        description=DESCRIPTION,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("target", type=Path, metavar="NAME", help="files to write, without suffix")
    add = parser.add_argument
    add("--factory", required=True, metavar="MODULE:FUNCTION", help="makes the official nn.Module")
    add("--family", required=True, help="as in tests/parity, such as depth_anything_v2")
    add("--layout", required=True, choices=("official", "transformers"))
    add("--source", required=True, help="the official code and its version")
    add(
        "--cases",
        required=True,
        nargs="+",
        type=_case,
        metavar="CASE=[Bx]HxW",
        help="inputs: the trained size, wide, tall, odd, a batch",
    )
    add(
        "--record",
        nargs="+",
        default=[],
        type=_module,
        metavar="RESULT=MODULE",
        help="modules whose outputs are recorded; {call} counts the calls of one",
    )
    add("--all-in", metavar="CASE", help="the case that these are recorded in (default: the first)")
    add("--output", metavar="KEY", help="the depth's key, if the network returns a table")
    weights = parser.add_mutually_exclusive_group()
    weights.add_argument("--checkpoint", type=Path, help="weights, kept in the record: tiny ones")
    weights.add_argument(
        "--manifest",
        type=Path,
        help="keys, number formats and shapes of seeded weights, by tools.make_manifest "
        "(default: those of the factory's network)",
    )
    add("--seed", type=int, default=0, help="another set of seeded weights (default: 0)")
    add(
        "--last",
        metavar="MODULE",
        help="the last convolution; seeded weights of it are scaled and kept in the record, so "
        "that no depth is lost in the last activation",
    )
    add(
        "--logits",
        nargs=2,
        type=float,
        default=(3.0, 1.0),
        metavar=("MEAN", "STD"),
        help="what its output is scaled to (default: 3 1, for a ReLU; 0 1 for a sigmoid)",
    )
    add(
        "--config",
        type=json.loads,
        default={},
        metavar="JSON",
        help="what the tests need beside the weights: config.json of transformers, max_depth, …",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit status is 1 if the record cannot be made."""
    chosen = _parser().parse_args(arguments)
    torch.set_num_threads(1)
    recording = Recording(
        family=chosen.family,
        layout=chosen.layout,
        source=chosen.source,
        cases=dict(chosen.cases),
        modules=dict(chosen.record),
        all_in=chosen.all_in,
        output=chosen.output,
        last=chosen.last,
        logits=(chosen.logits[0], chosen.logits[1]),
        seed=chosen.seed,
        config=chosen.config,
    )
    manifest = checkpoint = None
    try:
        if chosen.manifest is not None:
            manifest = json.loads(chosen.manifest.read_text(encoding="utf-8"))["state_dict"]
        if chosen.checkpoint is not None:
            state = read(chosen.checkpoint)
            checkpoint = {state.prefix + key: tensor for key, tensor in state.tensors.items()}
        package, _, function = chosen.factory.partition(":")
        model = getattr(importlib.import_module(package), function)()
        golden = record_golden(model, recording, checkpoint, manifest)
        golden.write(chosen.target)
    except (CheckpointError, RecordError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(_report(golden) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
