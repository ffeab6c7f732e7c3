"""The complete definition of a depth model, as frozen dataclasses."""

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
        gated_mlp: whether they use SwiGLU instead of GELU.
        patch: side of a patch in pixels.
        stage_depths: blocks in each of the four stages; a stage ends where the decoder taps.
        grid: rows and columns of the grid that positions were trained on.
        positions: absolute ones, resampled as in DINOv2 or bilinearly, or relative ones (BEiT),
            which are a bias on the attention of every block.
        layer_scale: whether the residual branches are scaled per channel.
        norm_eps: epsilon of every LayerNorm in the blocks.
        final_norm_eps: epsilon of the LayerNorm on tapped tokens; None: there is no such norm.
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
        """Channels of each stage's output."""
        return self.width, self.width, self.width, self.width

    @property
    def multiple(self) -> int:
        """Both sides of the network's input must be multiples of this many pixels."""
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
        """Channels of each stage's output."""
        return self.widths[0], self.widths[1], self.vit.width, self.vit.width

    @property
    def multiple(self) -> int:
        """Both sides of the network's input must be multiples of this many pixels."""
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
        pretrained_window: V2: window by stage that offsets are scaled by; 0: the window itself.
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
        """Channels of each stage's output."""
        return self.width, 2 * self.width, 4 * self.width, 8 * self.width

    @property
    def multiple(self) -> int:
        """Both sides of the network's input must be multiples of this many pixels."""
        return 8 * self.patch


EncoderConfig = ViTConfig | HybridConfig | SwinConfig


@dataclass(frozen=True)
class ReassembleConfig:
    """How the tokens of one encoder stage become a map.

    Attributes:
        width: channels of the stage's tokens.
        channels: channels of the map.
        readout: whether the cls token is projected into every other token.
        projected: whether a 1×1 convolution takes `width` to `channels`.
        resampled: whether a strided convolution changes the resolution.
    """

    width: int
    channels: int
    readout: bool
    projected: bool
    resampled: bool


Fit = Literal["cover", "closest", "longest", "square", "stretch"]


@dataclass(frozen=True)
class ImageRule:
    """How images are prepared for a model, and how its depth returns to their size.

    Attributes:
        mean, std: mean and standard deviation of the network's input, for RGB in [0, 1].
        side: default side in pixels for the size rule.
        multiple: both sides are multiples of this many pixels.
        fit: how the size follows from `side`. ``"cover"``: both sides are at least `side`;
            ``"closest"``: one side is, whichever changes the scale less; ``"longest"``: the longest
            side is; ``"square"``: the image is stretched to a square, since the network takes
            nothing else; ``"stretch"``: likewise, though the network takes any shape.
        shrink: how an image is made smaller.
        depth_resampling: how depth is resampled to the image's size.
        depth_corners: whether that resampling aligns the corners.
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
        """The same rule with another fit; unchanged for None or if the model takes only squares."""
        return self if fit is None or self.fit == "square" else replace(self, fit=fit)


@dataclass(frozen=True)
class DepthHeadConfig:
    """A head that makes one depth map from the finest fused map.

    Attributes:
        channels: channels of its two hidden maps.
        kind: the kind of depth: ``"inverse"``, ``"depth"`` or ``"metres"``.
        activation: the last one: ``"relu"``, ``"sigmoid"`` (times `max_depth`) or ``"exp"``.
        max_depth: maximum depth in metres, for a sigmoid.
        metres_per_focal: depth without a unit times this and the focal length in pixels is in
            metres; None: the scale is unknown.
        sky: whether a second map scores the sky.
    """

    channels: tuple[int, int]
    kind: Kind = "inverse"
    activation: Literal["relu", "sigmoid", "exp"] = "relu"
    max_depth: float | None = None
    metres_per_focal: float | None = None
    sky: bool = False

    def describe(self) -> str:
        """The kind and unit of the depth in a few words."""
        if self.kind == "metres":
            return f"metres, up to {self.max_depth:g}"
        if self.kind == "depth":
            return "metres with a known field of view" if self.metres_per_focal else "depth"
        return "inverse depth (relative)"


HeadConfig = DepthHeadConfig  # a union once there is another head, like EncoderConfig


@dataclass(frozen=True)
class DPTConfig:
    """One DPT model (arXiv:2103.13413).

    Attributes:
        family: the usual name of the model family.
        encoder: the image encoder.
        reassembly: the four reassembly stages, finest first.
        features: channels of the fusion blocks.
        head: the head, with the kind and unit of its depth.
        image: how images are prepared.
        images_together: number of images that the network takes as one input, such as a window of
            frames or a set of views; a batch is never split within it.
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
        """Maximum depth in metres of a metric model; None for others."""
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
        """The depth's unit and the network's image size in a few words."""
        shape = "a square of" if self.image.fit == "square" else "sides around"
        return f"{self.head.describe()}, from {shape} {self.image.side} pixels"
