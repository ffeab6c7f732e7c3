"""What every family table provides."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...checkpoint.rules import Row, Rule
from ..config import DPTConfig, Four
from ..hints import Hint, Requests
from ..measure import Shapes
from ..surroundings import Surroundings


@dataclass(frozen=True)
class Plan:
    """What must be known before the keys can be renamed.

    Attributes:
        hints: answers to what the weights do not say.
        stage_depths: transformer blocks in each stage.
        rows: the fields that the rules' patterns are filled with, one row a block.
    """

    hints: tuple[Hint[Any], ...]
    stage_depths: Four
    rows: Sequence[Row]

    def answer(self, name: str) -> Any:
        """The value of the hint of that name."""
        return next(hint.value for hint in self.hints if hint.name == name)


@dataclass(frozen=True)
class Family:
    """A key layout of a model family.

    Attributes:
        name: for people.
        layout: whose names the keys have, for people.
        signature: keys that are all there in this layout and not in any other.
        rules: the renaming table.
        accepts: what of a user's `Requests` makes sense for it.
        plan: hints and block counts, from the file's own keys.
        configure: the whole configuration, from converted shapes.
    """

    name: str
    layout: str
    signature: tuple[str, ...]
    rules: Sequence[Rule]
    accepts: tuple[str, ...]
    plan: Callable[[Mapping[str, Tensor], Surroundings, Requests], Plan]
    configure: Callable[[Shapes, Plan], DPTConfig]


def block_rows(stage_depths: Four) -> list[Row]:
    """For each block its ``index`` in the file, its ``stage``, and its place there (``block``)."""
    places = [(s, b) for s, depth in enumerate(stage_depths) for b in range(depth)]
    return [{"index": i, "stage": s, "block": b} for i, (s, b) in enumerate(places)]


def depths_from_taps(taps: Sequence[int]) -> Four:
    """Blocks per stage, from the 0-based indices of the tapped blocks: a stage ends at a tap."""
    a, b, c, d = (taps[i] - (taps[i - 1] if i else -1) for i in range(4))
    return a, b, c, d
