"""Everything that defines one Segment Anything model, as frozen dataclasses."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ImageEncoderConfig:
    """A vision transformer with window attention in most blocks (arXiv:2203.16527).

    Attributes:
        width: channels of a token.
        heads: attention heads.
        mlp_hidden: hidden width of the feed-forward layers.
        patch: side of a patch in pixels.
        grid: rows, and columns, of the map of tokens.
        stages: blocks with window attention in each stage, before the one with global
            attention that ends it.
        window: side of the attention windows in tokens; 0: no block has windows.
        norm_eps: epsilon of every normalisation.
    """

    width: int
    heads: int
    mlp_hidden: int
    patch: int
    grid: int
    stages: tuple[int, ...]
    window: int
    norm_eps: float = 1e-6

    @property
    def blocks(self) -> int:
        """Transformer blocks in all."""
        return sum(self.stages) + len(self.stages)

    @property
    def side(self) -> int:
        """Side of the network's square input in pixels."""
        return self.grid * self.patch


@dataclass(frozen=True)
class MaskDecoderConfig:
    """A two-way transformer between prompts and image, then one map per mask token.

    Attributes:
        layers: two-way blocks.
        heads: of every attention.
        cross_width: channels of the attention between prompts and image.
        mlp_hidden: hidden width of the feed-forward layers.
        mask_tokens: masks that it gives: one for a clear prompt, the rest for an ambiguous
            one.
        upscaled: channels of the map at 2 and at 4 times its size.
        mask_hidden: hidden width of the hypernetworks, which make a mask from its token.
        iou_hidden: hidden width of the network that predicts the quality of the masks.
        norm_eps: epsilon of the transformer's LayerNorms.
        map_norm_eps: epsilon of the norm of the enlarged map.
    """

    layers: int
    heads: int
    cross_width: int
    mlp_hidden: int
    mask_tokens: int
    upscaled: tuple[int, int]
    mask_hidden: int
    iou_hidden: int
    norm_eps: float = 1e-5
    map_norm_eps: float = 1e-6


@dataclass(frozen=True)
class SAMConfig:
    """One Segment Anything model (arXiv:2304.02643).

    Attributes:
        encoder: the image encoder.
        width: channels of the image embedding and of a prompt token.
        mask_channels: channels of a mask prompt at 2 and at 1 times the embedding's size.
        mask_norm_eps: epsilon of the norms of a mask prompt.
        decoder: the mask decoder.
    """

    encoder: ImageEncoderConfig
    width: int
    mask_channels: tuple[int, int]
    decoder: MaskDecoderConfig
    mask_norm_eps: float = 1e-6

    @property
    def low_res(self) -> int:
        """Side of the low-resolution masks in pixels."""
        return 4 * self.encoder.grid

    def describe_encoder(self) -> str:
        """The encoder's size in a few words; each stage counts its block of global attention."""
        encoder = self.encoder
        stages = " + ".join(str(depth + 1) for depth in encoder.stages)
        return f"{encoder.blocks} blocks ({stages}), width {encoder.width}, window {encoder.window}"

    def describe_output(self) -> str:
        """What comes out, and the size of the network's input."""
        return f"masks, from a longest side of {self.encoder.side} pixels"
