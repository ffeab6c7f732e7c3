"""What to extract from a network, and the maps that come of it."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from torch import Tensor

from .grid import Point

FeatureName = Literal[
    "patches",
    "stages",
    "block",
    "blocks",
    "attention",
    "positions",
    "reassembled",
    "fused",
    "head",
    "depth",
]
FEATURE_NAMES: tuple[FeatureName, ...] = get_args(FeatureName)

AttentionQuery = Literal["point", "average", "cls"]


@dataclass(frozen=True)
class FeatureSpec:
    """Which features to extract.

    Attributes:
        name: ``"patches"``: the patch embedding; ``"stages"``: the tokens that the decoder
            takes from the encoder; ``"block"``, ``"blocks"``: the tokens after one or after
            every transformer block; ``"attention"``: the weights of one block;
            ``"positions"``: absolute position embeddings, or the position bias of one block
            at the point; ``"reassembled"``, ``"fused"``: the decoder's four maps; ``"head"``:
            the head's two hidden maps; ``"depth"``: disparity.
        block: index of the transformer block, from 0; None is the last.
        head: index of the attention head, from 0; None averages all heads.
        query: whose attention: that of the patch at the point, of the cls token, or the
            average over all patches.
        point: x and y in 0 to 1, for features that depend on a point.
    """

    name: FeatureName
    block: int | None = None
    head: int | None = None
    query: AttentionQuery = "point"
    point: Point = (0.5, 0.5)


class FeatureMap(NamedTuple):
    """One map for every image.

    Attributes:
        label: what it is, in a few words.
        values: B×C×rows×columns float32 on the CPU; NaN in cells without a value.
        note: where in the network it comes from, in a few words; may be empty.
        windows: side and shift, in cells, of Swin's attention windows; else None.
        point: the point that the map depends on, if there is one.
    """

    label: str
    values: Tensor
    note: str = ""
    windows: tuple[int, int] | None = None
    point: Point | None = None
