"""Everything that defines one depth model, in frozen dataclasses: all of it data."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["inverse", "metres"]


@dataclass(frozen=True)
class ViTConfig:
    """A vision transformer whose tokens keep one resolution (arXiv:2010.11929).

    Attributes:
        width: channels of a token.
        heads: attention heads.
        mlp_hidden: hidden width of the feed-forward layers.
        gated_mlp: SwiGLU instead of GELU.
        patch: side of a patch in pixels.
        stage_depths: blocks in each of the four stages; a stage ends where the decoder taps.
        grid: rows and columns of the trained position table.
        positions: how absolute positions are resampled.
        layer_scale: the residual branches are scaled per channel.
        final_norm: tapped tokens pass the encoder's last LayerNorm.
        norm_eps: epsilon of every LayerNorm.
    """

    width: int
    heads: int
    mlp_hidden: int
    gated_mlp: bool
    patch: int
    stage_depths: tuple[int, int, int, int]
    grid: tuple[int, int]
    positions: Literal["dinov2", "bilinear"]
    layer_scale: bool
    final_norm: bool
    norm_eps: float


@dataclass(frozen=True)
class ImageRule:
    """How a model wants its images, and how its depth returns to their size.

    Attributes:
        mean, std: of the network's input, for RGB in [0, 1].
        side: the side in pixels that the size rule works with unless asked otherwise.
        multiple: sides are a multiple of this.
        fit: ``"cover"``: both sides at least `side`, aspect kept.
        depth_resampling: of the depth on its way to the image's size.
        depth_corners: whether that aligns the corners.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    side: int
    multiple: int
    fit: Literal["cover"]
    depth_resampling: Literal["bilinear", "bicubic"]
    depth_corners: bool


@dataclass(frozen=True)
class DPTConfig:
    """One depth model (arXiv:2103.13413).

    Attributes:
        family: the field's name of the model family.
        encoder: the image encoder.
        stage_channels: channels of the four reassembled maps before they meet `features`,
            finest first.
        features: channels of the fusion blocks.
        head_channels: channels of the head's two hidden maps.
        max_depth: metres at the far end of a metric model; None for inverse depth.
        image: the image rule.
    """

    family: str
    encoder: ViTConfig
    stage_channels: tuple[int, int, int, int]
    features: int
    head_channels: tuple[int, int]
    max_depth: float | None
    image: ImageRule

    @property
    def kind(self) -> Kind:
        """``"inverse"`` (larger is nearer, no unit) or ``"metres"``."""
        return "inverse" if self.max_depth is None else "metres"
