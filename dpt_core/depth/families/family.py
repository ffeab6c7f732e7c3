"""What every family table provides."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ...checkpoint.rules import Row, Rule
from ..config import DPTConfig
from ..hints import Hint, Surroundings
from ..measure import Shapes

StageDepths = tuple[int, int, int, int]


@dataclass(frozen=True)
class Requests:
    """What the user asked for; None leaves a choice open."""

    variant: str | None = None
    max_depth: float | None = None


@dataclass(frozen=True)
class Family:
    """A key layout of a model family.

    Attributes:
        name: for people.
        layout: whose names the keys have, for people.
        signature: keys that are all there in this layout and not in any other.
        block_pattern: a regular expression for the keys of block N; its group is N.
        rules: the renaming table; its ``{index}``, ``{stage}`` and ``{block}`` are filled
            for every block.
        hints: answers to what the weights do not say, from the block count.
        stage_depths: blocks in each stage, from the block count and the hints.
        configure: the whole configuration, from converted shapes.
    """

    name: str
    layout: str
    signature: tuple[str, ...]
    block_pattern: str
    rules: Sequence[Rule]
    hints: Callable[[Surroundings, Requests, int], tuple[Hint[Any], ...]]
    stage_depths: Callable[[int, tuple[Hint[Any], ...], str], StageDepths]
    configure: Callable[[Shapes, StageDepths, tuple[Hint[Any], ...]], DPTConfig]


def block_rows(stage_depths: StageDepths) -> list[Row]:
    """For each block its ``index`` in the file, its ``stage``, and its place there (``block``)."""
    places = [(s, b) for s, depth in enumerate(stage_depths) for b in range(depth)]
    return [{"index": i, "stage": s, "block": b} for i, (s, b) in enumerate(places)]


def depths_from_taps(taps: Sequence[int]) -> StageDepths:
    """Blocks per stage, from the 0-based indices of the tapped blocks: a stage ends at a tap."""
    a, b, c, d = (taps[i] - (taps[i - 1] if i else -1) for i in range(4))
    return a, b, c, d
