"""What every encoder gives the decoder."""

from typing import NamedTuple

from torch import Tensor


class Stage(NamedTuple):
    """One tap: B×C×rows×columns, and the B×C cls token if there is one."""

    map: Tensor
    cls: Tensor | None
