"""What both loaders share: the precision, missing and changed files, the text on the node."""

from pathlib import Path

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]

from ..host.models import PRECISIONS, ManagedDepthModel, ManagedSam

NO_FILES = "no checkpoints found"  # the only entry of an empty list


def precision_input(advice: str) -> io.Combo.Input:
    """The number format; `advice` says when to choose float32."""
    return io.Combo.Input(
        "precision",
        options=["auto", *PRECISIONS],
        default="auto",
        tooltip=(
            "Number format to compute in. auto picks a fast one that suits your device (float32 "
            f"on a CPU). {advice}"
        ),
    )


def missing_file_message(checkpoint: str, kind: str, folder: Path) -> str:
    """The error for a file that is not in any model folder."""
    name = "checkpoint" if checkpoint == NO_FILES else checkpoint
    return (
        f"There is no {name} in the model folders. Put a {kind} into {folder} and press R to "
        "refresh the list."
    )


def file_fingerprint(path: Path | None) -> tuple[int, int] | None:
    """Modification time in nanoseconds and size in bytes; None if there is no file."""
    if path is None:
        return None
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def summary_text(checkpoint: str, managed: ManagedDepthModel | ManagedSam) -> str:
    """The text on a loader: the file, what was found in it, and how it runs."""
    model = managed.model
    dtype = str(model.dtype).removeprefix("torch.")
    return f"{checkpoint}\n{model.inspection.summary()}\nruns in {dtype} on {model.device.type}"
