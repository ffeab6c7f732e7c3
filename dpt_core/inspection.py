"""What a checkpoint is, whatever kind of model it holds."""

from collections.abc import Sequence
from pathlib import Path

from .checkpoint.read import read
from .depth import load as depth
from .depth.hints import Requests
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
    asked = Requests(variant, max_depth, pretrained_window)
    if not sam.is_sam(state):
        return depth.inspect_state(state, asked)
    for name, value in vars(asked).items():
        if value is not None:
            raise CheckpointError(
                f"{state.path.name} is a {sam.NAME} model, for which {name} means nothing; it "
                f"was {value!r}. Leave it open."
            )
    return sam.prepare(state).inspection
