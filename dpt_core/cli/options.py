"""Options that several commands share, and what they do."""

import argparse
import dataclasses
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

from ..checkpoint.hints import Overrides
from ..demo import DEMO_CHECKPOINT
from .reporting import CommandError, Status, write_error

if TYPE_CHECKING:
    import torch

    from ..checkpoint.inspection import Inspection
    from ..estimate.model import DepthModel

Commands: TypeAlias = "argparse._SubParsersAction[Parser]"

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = ("float32", "bfloat16", "float16")  # names in torch

DEMO_NOTE = (
    "Using the small demo checkpoint that comes with this package; for real work, choose a "
    "checkpoint with --checkpoint."
)


class Parser(argparse.ArgumentParser):
    """A parser that keeps the line breaks of descriptions and reports an error in one line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        """End the process with status 2."""
        self.exit(Status.FAILED, f"error: {message} (see {self.prog} --help)\n")


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `load_model` reads."""
    parser.add_argument(
        "--checkpoint",
        default=DEMO_CHECKPOINT,
        type=Path,
        metavar="FILE",
        help="the depth model (default: the small demo model of this package)",
    )
    parser.add_argument(
        "--device",
        choices=DEVICES,
        default="auto",
        help="where to compute (default: the fastest available)",
    )
    parser.add_argument(
        "--precision",
        choices=("auto", *DTYPES),
        default="auto",
        help="number format to compute in (default: the checkpoint's own on CUDA, else float32)",
    )
    add_overrides(parser)


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """Add an option for each of `Overrides`."""
    for field in dataclasses.fields(Overrides):
        settings = dict(field.metadata)
        settings["help"] += " (default: detected)"
        parser.add_argument(_option_name(field.name), **settings)


def get_overrides(arguments: argparse.Namespace) -> dict[str, Any]:
    """The keyword arguments for `Overrides`; a list of one value becomes that value."""
    values = {field.name: getattr(arguments, field.name) for field in dataclasses.fields(Overrides)}
    return {
        name: value[0] if isinstance(value, list) and len(value) == 1 else value
        for name, value in values.items()
    }


def _option_name(name: str) -> str:
    return "--" + name.replace("_", "-")


def add_resolution(parser: argparse.ArgumentParser) -> None:
    """Add ``--resolution``."""
    parser.add_argument(
        "--resolution",
        type=positive_int,
        metavar="N",
        help="side in pixels at which the model works (default: the model's own)",
    )


def fraction(text: str) -> float:
    """Parse a position in an image, from 0 to 1."""
    try:
        place = float(text)
    except ValueError:
        place = -1.0
    if not 0 <= place <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return place


def positive_int(text: str) -> int:
    """Parse a positive number of pixels."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of pixels above 0")
    return int(text)


def load_model(arguments: argparse.Namespace) -> "DepthModel":
    """Load the depth model that the options of `add_model_options` describe.

    Raises:
        CheckpointError: the file cannot be used.
        CommandError: the device is not available.
    """
    import torch

    from ..loading import load

    device = _choose_device(arguments.device)

    def choose_dtype(inspection: "Inspection[Any]") -> "torch.dtype":
        # Half precision is faster only on CUDA, and loses nothing if the file is in it already.
        keep = device == "cuda" and inspection.dtype in DTYPES
        return getattr(torch, inspection.dtype) if keep else torch.float32

    if arguments.checkpoint == DEMO_CHECKPOINT:
        write_error(DEMO_NOTE)
    is_auto = arguments.precision == "auto"
    dtype = choose_dtype if is_auto else getattr(torch, arguments.precision)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the inspection holds them too
        model = load(arguments.checkpoint, **get_overrides(arguments), dtype=dtype, device=device)
    for text in model.inspection.warnings:
        write_error(f"warning: {text}")
    return model


def _choose_device(name: str) -> str:
    import torch

    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return next(device for device, is_available in available.items() if is_available)
    if not available[name]:
        raise CommandError(
            f"--device {name} is not available on this computer with its PyTorch; leave the "
            "option out, or choose cpu."
        )
    return name


def make_folder(path: Path) -> None:
    """Make the folder of ``--output``, unless it exists.

    Raises:
        CommandError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(
            f"--output {path} cannot be used as a folder ({error.strerror or error})."
        ) from error
