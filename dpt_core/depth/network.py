"""The network of every depth family: image encoder → reassembly → fusion → head."""

from torch import Tensor, nn

from ..layers import Ops, cpu
from .config import DPTConfig
from .encoders import build_encoder
from .fusion import Fusion
from .heads import build_head
from .heads.depth import Prediction
from .reassemble import Reassemble


class DPT(nn.Module):
    """A dense prediction transformer (arXiv:2103.13413).

    Args:
        config: the complete definition of the model.
        ops: namespace of layers; a host that manages the weights passes its own.
    """

    def __init__(self, config: DPTConfig, ops: Ops = cpu) -> None:
        super().__init__()
        self.config = config
        self.imgencoder = build_encoder(config.encoder, ops)
        self.reassemble = Reassemble(config, ops)
        self.fusion = Fusion(config.features, ops)
        self.head = build_head(config.head, config.features, ops)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images B×3×H×W → depth B×H×W of the configuration's kind.

        Raises:
            ValueError: H or W is not a multiple of what the encoder needs.
        """
        return self.predict(images).depth

    def predict(self, images: Tensor) -> Prediction:
        """Normalised images B×3×H×W → everything that the head predicts; depth is B×H×W."""
        self.check_size(images)
        x = self.imgencoder(images)  # four stages, B×C×h×w each, and their cls tokens
        x = self.reassemble(x)  # four maps, finest first: B×F at 4h×4w, 2h×2w, h×w, h/2×w/2
        x = self.fusion(x)  # four maps, finest first: B×F at 8h×8w, 4h×4w, 2h×2w, h×w
        return self.head(x, images.shape[-2:])  # B×H×W

    def check_size(self, images: Tensor) -> None:
        """Check that the encoder can cut images B×3×H×W into patches.

        Raises:
            ValueError: H or W is not a multiple of what the encoder needs.
        """
        height, width = images.shape[-2:]
        multiple = self.config.encoder.multiple
        if height % multiple or width % multiple:
            raise ValueError(
                f"The network's input is {height}×{width} pixels, but both sides must be a "
                f"multiple of {multiple}; use the model's preprocess() to resize images."
            )
