"""The network of Segment Anything: image encoder, prompt encoder, mask decoder."""

from torch import Tensor, nn

from ..layers import Ops, cpu
from .config import SAMConfig
from .image_encoder import ImageEncoder
from .mask_decoder import LowResMasks, MaskDecoder
from .prompt_encoder import PromptEncoder, Prompts


class SAM(nn.Module):
    """Segment Anything (arXiv:2304.02643).

    Args:
        config: the whole definition of the model.
        ops: namespace of layers; a host that manages the weights passes its own.
    """

    def __init__(self, config: SAMConfig, ops: Ops = cpu) -> None:
        super().__init__()
        self.config = config
        self.image_encoder = ImageEncoder(config.encoder, config.width, ops)
        self.prompt_encoder = PromptEncoder(config, ops)
        self.mask_decoder = MaskDecoder(config, ops)

    def forward(self, images: Tensor, prompts: Prompts, multimask: bool) -> LowResMasks:
        """One normalised image 1×3×side×side and N prompts → N×M×4h×4w masks."""
        return self.decode(self.image_encoder(images), prompts, multimask)

    def decode(self, embedding: Tensor, prompts: Prompts, multimask: bool) -> LowResMasks:
        """The embedding 1×C×h×w of one image and N prompts → N×M×4h×4w masks."""
        tokens, dense = self.prompt_encoder(prompts, embedding)  # N×T×C, N×C×h×w or 1×C×1×1
        encode = self.prompt_encoder.coordinate_encoder.dense
        positions = encode(self.config.encoder.grid, embedding.device).to(embedding)  # 1×C×h×w
        return self.mask_decoder(embedding, positions, tokens, dense, multimask)
