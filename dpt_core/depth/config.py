"""Everything that defines one depth model, in frozen dataclasses: all of it data."""

from dataclasses import dataclass, replace
from typing import Literal

from ..depth_map import Kind

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


Fit = Literal["cover", "closest", "longest", "square", "stretch"]


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
    fit: Fit
    depth_resampling: Literal["bilinear", "bicubic"]
    depth_corners: bool
    shrink: Literal["bicubic", "area"] = "bicubic"

    def with_fit(self, fit: Fit | None) -> "ImageRule":
        """The same rule with another fit; None, or a model of squares alone, changes nothing."""
        return self if fit is None or self.fit == "square" else replace(self, fit=fit)


@dataclass(frozen=True)
class DepthHeadConfig:
    """One depth map from the finest fused map.

    Attributes:
        channels: of its two hidden maps.
        kind: what its numbers are: ``"inverse"``, ``"depth"`` or ``"metres"``.
        activation: the last one: ``"relu"``, ``"sigmoid"`` (times `max_depth`) or ``"exp"``.
        max_depth: metres at the far end of a sigmoid.
        metres_per_focal: what depth without a unit is multiplied by, beside the focal length in
            pixels, to be in metres; None: it never is.
        sky: a second map tells the sky apart.
    """

    channels: tuple[int, int]
    kind: Kind = "inverse"
    activation: Literal["relu", "sigmoid", "exp"] = "relu"
    max_depth: float | None = None
    metres_per_focal: float | None = None
    sky: bool = False

    def describe(self) -> str:
        """What the depth is, in a few words."""
        if self.kind == "metres":
            return f"metres, up to {self.max_depth:g}"
        if self.kind == "depth":
            return "metres with a known field of view" if self.metres_per_focal else "depth"
        return "inverse depth (relative)"


HeadConfig = DepthHeadConfig  # what heads there are, as EncoderConfig says of encoders


@dataclass(frozen=True)
class DPTConfig:
    """One DPT model (arXiv:2103.13413).

    Attributes:
        family: the field's name of the model family.
        encoder: the image encoder.
        reassembly: the four reassembly stages, finest first.
        features: channels of the fusion blocks.
        head: what the fused maps become, with its kind and unit.
        image: the image rule.
        images_together: images that the network looks at as one: a window of frames or a set of
            views; a batch is never cut within them.
    """

    family: str
    encoder: EncoderConfig
    reassembly: tuple[ReassembleConfig, ReassembleConfig, ReassembleConfig, ReassembleConfig]
    features: int
    head: HeadConfig
    image: ImageRule
    images_together: int = 1

    @property
    def kind(self) -> Kind:
        """What the depth is: ``"inverse"``, ``"depth"`` or ``"metres"``."""
        return self.head.kind

    @property
    def max_depth(self) -> float | None:
        """Metres at the far end of a metric model; None for others."""
        return self.head.max_depth

    def describe_encoder(self) -> str:
        """The encoder's size in a few words."""
        depths = self.encoder.stage_depths
        stages = " + ".join(map(str, depths))
        blocks = f"{sum(depths)} blocks ({stages}), width {self.encoder.width}"
        if isinstance(self.encoder, SwinConfig):
            return f"{blocks}, window {self.encoder.window}"
        return blocks

    def describe_output(self) -> str:
        """The depth's unit, and the size of image that the network works with."""
        shape = "a square of" if self.image.fit == "square" else "sides around"
        return f"{self.head.describe()}, from {shape} {self.image.side} pixels"
