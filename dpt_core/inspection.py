"""What a checkpoint is, whatever kind of model it holds."""

from collections.abc import Sequence
from pathlib import Path

from .checkpoint.read import read
from .depth import load as depth
from .depth.inspection import Inspection
from .errors import CheckpointError
from .sam import load as sam
from .sam.inspection import SAMInspection


def inspect(
    path: str | Path,
    *,
    variant: str | None = None,
    max_depth: float | None = None,
    pretrained_window: int | Sequence[int] | None = None,
) -> Inspection | SAMInspection:
    """What `load` or `load_sam` would build from a file, without building it.

    Of a safetensors file the header alone is read; the size of the file does not matter.

    Args:
        path: as for `load`.
        variant, max_depth, pretrained_window: as for `load`; of depth models alone.

    Raises:
        CheckpointError: as for `load` and `load_sam`, but for what only the values can tell.
    """
    state = read(path, header_only=True)
    if not sam.is_sam(state):
        return depth.inspect(
            path, variant=variant, max_depth=max_depth, pretrained_window=pretrained_window
        )
    hints = {"variant": variant, "max_depth": max_depth, "pretrained_window": pretrained_window}
    for name, value in hints.items():
        if value is not None:
            raise CheckpointError(
                f"{state.path.name} is a {sam.NAME} model, for which {name} means nothing; it "
                f"was {value!r}. Leave it open."
            )
    return sam.prepare(state).inspection
