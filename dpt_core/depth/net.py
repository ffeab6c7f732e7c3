"""The network of every depth family: patch embedding → encoder → reassembly → fusion → head."""

from torch import Tensor, nn

from ..layers import Ops
from .config import DPTConfig
from .decoder import Fusion, Head, Reassemble, activate
from .encoders.vit import ViT


class DPT(nn.Module):
    """A dense prediction transformer (arXiv:2103.13413).

    Args:
        config: the whole definition of the model.
        ops: namespace of layers, ``torch.nn`` unless a host manages the weights.
    """

    def __init__(self, config: DPTConfig, ops: Ops = nn) -> None:
        super().__init__()
        self.max_depth = config.max_depth
        self.multiple = config.image.multiple
        self.imgencoder = ViT(config.encoder, ops)
        self.reassemble = Reassemble(config.encoder.width, config, ops)
        self.fusion = Fusion(config.features, ops)
        self.head = Head(config, ops)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images B×3×H×W → depth B×H×W, inverse or in metres.

        Raises:
            ValueError: H or W is not a multiple of the patch.
        """
        height, width = images.shape[-2:]
        if height % self.multiple or width % self.multiple:
            raise ValueError(
                f"The network's input is {height}×{width} pixels, but both sides must be a "
                f"multiple of {self.multiple}; use the model's preprocess() to resize images."
            )
        stages = self.imgencoder(images)
        maps = self.reassemble(stages)
        fused = self.fusion(maps)
        logits = self.head(fused, (height, width))
        return activate(logits, self.max_depth).squeeze(1)
