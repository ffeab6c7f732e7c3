"""What defines a model family: how a layout is recognised, renamed, measured and built."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn

from .context import FileContext
from .hints import Hint, Overrides
from .rules import Row, Rule
from .shapes import Shapes


@dataclass(frozen=True)
class Plan:
    """What must be known before the keys can be renamed.

    Attributes:
        rows: values for the fields in the rules' patterns, one row per block.
        stage_depths: transformer blocks in each of the four stages of a depth encoder.
        hints: settings that the weights do not determine.
    """

    rows: Sequence[Row]
    stage_depths: tuple[int, int, int, int] = (0, 0, 0, 0)
    hints: tuple[Hint[Any], ...] = ()

    def answer(self, name: str) -> Any:
        """The value of the hint of that name, or None if there is no such hint."""
        return next((hint.value for hint in self.hints if hint.name == name), None)

    def with_hint(self, hint: Hint[Any]) -> "Plan":
        """The same plan with one more hint."""
        return replace(self, hints=(*self.hints, hint))


Adapt = Callable[[dict[str, Tensor], Shapes, Any], None]


def leave_as_is(_tensors: dict[str, Tensor], _shapes: Shapes, _config: Any) -> None:
    """The `adapt` of families whose converted weights are already those of the network."""


@dataclass(frozen=True)
class Family:
    """A model family in one key layout.

    Attributes:
        name: for display; unique together with the layout.
        layout: whose key names these are: ``"official"`` or ``"transformers"``.
        signature: keys that occur together in this layout and in no other.
        rules: the renaming table, which works in both directions.
        plan: finds the hints and block counts from the keys in the file.
        configure: makes the whole configuration from converted shapes.
        build: makes the network of a configuration from a namespace of layers.
        accepts: names of the `Overrides` that apply to it.
        adapt: changes the converted weights in place, once for all: it does what the network
            would otherwise compute at every use.
        exact: converted names of weights that stay in float32 whatever the rest computes in.
    """

    name: str
    layout: str
    signature: tuple[str, ...]
    rules: Sequence[Rule]
    plan: Callable[[Mapping[str, Tensor], FileContext, Overrides], Plan]
    configure: Callable[[Shapes, Plan], Any]
    build: Callable[..., nn.Module]
    accepts: tuple[str, ...] = ()
    adapt: Adapt = leave_as_is
    exact: tuple[str, ...] = ()

    def matches(self, tensors: Mapping[str, Any]) -> bool:
        """Whether the complete signature is among the keys."""
        return all(key in tensors for key in self.signature)
