"""The network of every depth family: patch embedding → encoder → reassembly → fusion → head."""

from typing import NamedTuple

from torch import Tensor, nn

from ..layers import Ops, default
from .config import DPTConfig, EncoderConfig, HybridConfig, SwinConfig
from .decoder import Fusion, Head, Reassemble, activate
from .encoders.hybrid import HybridViT
from .encoders.swin import Swin
from .encoders.vit import ViT


class Prediction(NamedTuple):
    """Depth B×H×W, and the sky's score B×H×W (0: none) of models that tell it."""

    depth: Tensor
    sky: Tensor | None


class DPT(nn.Module):
    """A dense prediction transformer (arXiv:2103.13413).

    Args:
        config: the whole definition of the model.
        ops: namespace of layers, unless a host manages the weights those of `layers.default`.
    """

    def __init__(self, config: DPTConfig, ops: Ops = default) -> None:
        super().__init__()
        self.config = config
        self.imgencoder = build_encoder(config.encoder, ops)
        self.reassemble = Reassemble(config, ops)
        self.fusion = Fusion(config.features, ops)
        self.head = Head(config, ops)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images B×3×H×W → depth B×H×W of the configuration's kind.

        Raises:
            ValueError: H or W does not suit the encoder.
        """
        return self.predict(images).depth

    def predict(self, images: Tensor) -> Prediction:
        """As `forward`, with the sky beside the depth."""
        height, width = images.shape[-2:]
        multiple = self.config.encoder.multiple
        if height % multiple or width % multiple:
            raise ValueError(
                f"The network's input is {height}×{width} pixels, but both sides must be a "
                f"multiple of {multiple}; use the model's preprocess() to resize images."
            )
        logits, sky = self.head(self.narrow(images), (height, width))
        depth = activate(logits, self.config).squeeze(1)
        return Prediction(depth, None if sky is None else sky.relu().squeeze(1))

    def narrow(self, images: Tensor) -> Tensor:
        """The map that the head enlarges and finishes: B×first head channel×h×w.

        Nested, and the fusion empties the list, so that no map outlives the step that reads it.
        """
        maps = list(self.reassemble(self.imgencoder(images)))
        return self.head.spatial_upsampler(self.fusion(maps))


def build_encoder(config: EncoderConfig, ops: Ops) -> nn.Module:
    """The encoder that a configuration describes."""
    if isinstance(config, SwinConfig):
        return Swin(config, ops)
    if isinstance(config, HybridConfig):
        return HybridViT(config, ops)
    return ViT(config, ops)
