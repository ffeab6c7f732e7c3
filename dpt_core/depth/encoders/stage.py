"""The output of an encoder."""

from typing import NamedTuple

from torch import Tensor


class Stage(NamedTuple):
    """The output of one stage: a map B×C×rows×columns, and the cls token B×C if there is one."""

    map: Tensor
    cls: Tensor | None
