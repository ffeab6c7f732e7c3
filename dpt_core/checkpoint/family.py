"""What every model family provides: how a layout is recognised, renamed, measured and built."""

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
        rows: the fields that the rules' patterns are filled with, one row a block.
        stage_depths: transformer blocks in each of a depth encoder's four stages.
        hints: answers to what the weights do not say.
    """

    rows: Sequence[Row]
    stage_depths: tuple[int, int, int, int] = (0, 0, 0, 0)
    hints: tuple[Hint[Any], ...] = ()

    def answer(self, name: str) -> Any:
        """The value of the hint of that name; None: there is no such hint."""
        return next((hint.value for hint in self.hints if hint.name == name), None)

    def with_hint(self, hint: Hint[Any]) -> "Plan":
        """The same with one more answer."""
        return replace(self, hints=(*self.hints, hint))


Adapt = Callable[[dict[str, Tensor], Shapes, Any], None]


def leave_as_is(_tensors: dict[str, Tensor], _shapes: Shapes, _config: Any) -> None:
    """The `adapt` of families whose converted weights are those of the network."""


@dataclass(frozen=True)
class Family:
    """A model family in one key layout.

    Attributes:
        name: for people; together with the layout it is the only one.
        layout: whose names the keys have, for people.
        signature: keys that are all there in this layout and not in any other.
        rules: the renaming table, which is the way back as well.
        plan: hints and block counts, from the file's own keys.
        configure: the whole configuration, from converted shapes.
        build: the network of a configuration, of layers from a namespace.
        accepts: names of the `Overrides` that mean something for it.
        adapt: a last change to the converted weights, in place, once for all: what the network
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
        """Whether the whole signature is among the keys."""
        return all(key in tensors for key in self.signature)
