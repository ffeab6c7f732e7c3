"""Everything that defines one depth model, in frozen dataclasses: all of it data."""

from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["inverse", "metres", "distance"]
Four = tuple[int, int, int, int]


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
        grid: rows and columns of the trained positions.
        positions: absolute ones resampled as DINOv2 does or bilinearly, or relative ones
            (BEiT): a bias on the attention of every block.
        layer_scale: the residual branches are scaled per channel.
        norm_eps: epsilon of every LayerNorm in the blocks.
        final_norm_eps: tapped tokens pass a last LayerNorm of this epsilon; None: no norm.
    """

    width: int
    heads: int
    mlp_hidden: int
    gated_mlp: bool
    patch: int
    stage_depths: Four
    grid: tuple[int, int]
    positions: Literal["dinov2", "bilinear", "relative"]
    layer_scale: bool
    norm_eps: float
    final_norm_eps: float | None

    @property
    def stage_widths(self) -> Four:
        """Channels of what each stage gives the decoder."""
        return self.width, self.width, self.width, self.width

    @property
    def multiple(self) -> int:
        """Sides of the network's input are a multiple of this many pixels."""
        return self.patch


@dataclass(frozen=True)
class HybridConfig:
    """A ResNetV2 whose last map is the patch embedding of a vision transformer.

    The decoder taps the ResNet's first two stages and the transformer's last two
    (arXiv:2103.13413, "DPT-Hybrid"; ResNetV2 of arXiv:1912.11370).

    Attributes:
        vit: the transformer; its first two stages have no blocks.
        stem: channels after the first convolution.
        widths: channels of the ResNet's three stages.
        layers: bottleneck blocks in each of them.
    """

    vit: ViTConfig
    stem: int
    widths: tuple[int, int, int]
    layers: tuple[int, int, int]

    @property
    def width(self) -> int:
        """Channels of a token."""
        return self.vit.width

    @property
    def stage_depths(self) -> Four:
        """Transformer blocks in each stage."""
        return self.vit.stage_depths

    @property
    def stage_widths(self) -> Four:
        """Channels of what each stage gives the decoder."""
        return self.widths[0], self.widths[1], self.vit.width, self.vit.width

    @property
    def multiple(self) -> int:
        """Sides of the network's input are a multiple of this many pixels."""
        return self.vit.patch


@dataclass(frozen=True)
class SwinConfig:
    """A shifted-window transformer, V1 (arXiv:2103.14030) or V2 (arXiv:2111.09883).

    Attributes:
        version: 1 or 2; they differ in where they normalise and in the position bias.
        width: channels of a token in the first stage; each stage doubles them.
        heads: attention heads by stage.
        mlp_hidden: hidden width of the feed-forward layers by stage.
        bias_hidden: hidden width of V2's position bias network; 0 in V1.
        patch: side of a patch in pixels.
        stage_depths: blocks in each stage.
        window: side of the attention window in tokens, before it is clipped to the map.
        pretrained_window: V2: window by stage that positions are relative to; 0: the window.
        side: side of the trained input in pixels.
        norm_eps: epsilon of every LayerNorm.
    """

    version: Literal[1, 2]
    width: int
    heads: Four
    mlp_hidden: Four
    bias_hidden: int
    patch: int
    stage_depths: Four
    window: int
    pretrained_window: Four
    side: int
    norm_eps: float

    @property
    def stage_widths(self) -> Four:
        """Channels of what each stage gives the decoder."""
        return self.width, 2 * self.width, 4 * self.width, 8 * self.width

    @property
    def multiple(self) -> int:
        """Sides of the network's input are a multiple of this many pixels."""
        return 8 * self.patch


EncoderConfig = ViTConfig | HybridConfig | SwinConfig


@dataclass(frozen=True)
class ReassembleConfig:
    """How one encoder stage becomes a map.

    Attributes:
        width: channels of the stage's tokens.
        channels: channels of the map.
        readout: the cls token is projected into every other token.
        projected: a 1×1 convolution brings `width` to `channels`.
        resampled: a strided convolution changes the resolution.
    """

    width: int
    channels: int
    readout: bool
    projected: bool
    resampled: bool


@dataclass(frozen=True)
class ImageRule:
    """How a model wants its images, and how its depth returns to their size.

    Attributes:
        mean, std: of the network's input, for RGB in [0, 1].
        side: the side in pixels that the size rule works with unless asked otherwise.
        multiple: sides are a multiple of this.
        fit: how the aspect is kept: ``"cover"``: both sides at least `side`; ``"closest"``:
            one side fits, the one that changes the scale least; ``"longest"``: the longest
            side fits; ``"square"``: not kept, the network only takes squares; ``"stretch"``:
            not kept, though it takes any shape.
        shrink: how a photograph is made smaller.
        depth_resampling: of the depth on its way to the image's size.
        depth_corners: whether that aligns the corners.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    side: int
    multiple: int
    fit: Literal["cover", "closest", "longest", "square", "stretch"]
    depth_resampling: Literal["bilinear", "bicubic"]
    depth_corners: bool
    shrink: Literal["bicubic", "area"] = "bicubic"

    def stretched(self) -> "ImageRule":
        """The rule that stretches every image to a square of the same side."""
        return self if self.fit == "square" else replace(self, fit="stretch")


@dataclass(frozen=True)
class DPTConfig:
    """One depth model (arXiv:2103.13413).

    Attributes:
        family: the field's name of the model family.
        encoder: the image encoder.
        reassembly: the four reassembly stages, finest first.
        features: channels of the fusion blocks.
        head_channels: channels of the head's two hidden maps.
        activation: of the head: ``"relu"`` (inverse depth), ``"sigmoid"`` (times
            `max_depth` metres) or ``"exp"`` (distance).
        max_depth: metres at the far end of a metric model with a sigmoid.
        metres_per_focal: of a metric model whose result is to be multiplied by the focal
            length in pixels and this number.
        sky_head: a second head tells the sky.
        image: the image rule.
    """

    family: str
    encoder: EncoderConfig
    reassembly: tuple[ReassembleConfig, ReassembleConfig, ReassembleConfig, ReassembleConfig]
    features: int
    head_channels: tuple[int, int]
    image: ImageRule
    activation: Literal["relu", "sigmoid", "exp"] = "relu"
    max_depth: float | None = None
    metres_per_focal: float | None = None
    sky_head: bool = False

    @property
    def kind(self) -> Kind:
        """``"inverse"`` (larger is nearer, no unit), ``"metres"``, or ``"distance"``.

        A distance is larger farther away and has no unit; with a known field of view a
        metric model of that kind gives metres.
        """
        kinds: dict[str, Kind] = {"relu": "inverse", "sigmoid": "metres", "exp": "distance"}
        return kinds[self.activation]
