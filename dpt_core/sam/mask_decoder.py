"""Image embedding and prompts to masks and their quality."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..layers import Ops
from ..layers.norm import LayerNorm2d
from .config import MaskDecoderConfig, SAMConfig


def relu_mlp(widths: Sequence[int], ops: Ops) -> nn.Sequential:
    """Linear layers of these widths, …×first → …×last, with ReLU between them."""
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [ops.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class CrossAttention(nn.Module):
    """Attention of tokens to other tokens, in `inner` channels.

    Queries, or keys and values, may have a batch of one; they are then the same for all.
    """

    def __init__(self, width: int, inner: int, heads: int, ops: Ops) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = ops.Linear(width, inner)
        self.k_proj = ops.Linear(width, inner)
        self.v_proj = ops.Linear(width, inner)
        self.out_proj = ops.Linear(inner, width)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Queries B×N×C, keys and values B×M×C → B×N×C."""
        query = self._split_heads(self.q_proj(query))  # B×heads×N×inner/heads
        key, value = self._split_heads(self.k_proj(key)), self._split_heads(self.v_proj(value))
        batch = max(len(query), len(key))
        query, key, value = (x.expand(batch, -1, -1, -1) for x in (query, key, value))
        mixed = F.scaled_dot_product_attention(query, key, value)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))  # B×N×inner → B×N×C

    def _split_heads(self, x: Tensor) -> Tensor:
        """B×N×inner → B×heads×N×inner/heads."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class TwoWayBlock(nn.Module):
    """Tokens attend to each other and to the image, then the image to the tokens."""

    def __init__(self, width: int, config: MaskDecoderConfig, is_first: bool, ops: Ops) -> None:
        super().__init__()
        norm = partial(ops.LayerNorm, width, eps=config.norm_eps)
        cross = partial(CrossAttention, width, config.cross_width, config.heads, ops)
        self.is_first = is_first
        self.self_attn = CrossAttention(width, width, config.heads, ops)
        self.norm_self = norm()
        self.token_to_image_attn = cross()
        self.norm_token_to_image = norm()
        self.mlp = relu_mlp((width, config.mlp_hidden, width), ops)
        self.norm_mlp = norm()
        self.image_to_token_attn = cross()
        self.norm_image_to_token = norm()

    def forward(
        self, tokens: Tensor, image: Tensor, token_positions: Tensor, image_positions: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Tokens N×T×C and image (1 or N)×hw×C → both updated, the image N×hw×C.

        `token_positions` N×T×C are the tokens as they first came in, with their coordinates;
        `image_positions` is 1×hw×C.
        """
        if self.is_first:  # its tokens are their own positions, and are replaced
            tokens = self.self_attn(tokens, tokens, tokens)
        else:
            query = tokens + token_positions
            tokens = tokens + self.self_attn(query, query, tokens)
        tokens = self.norm_self(tokens)
        image_query = image + image_positions
        attended = self.token_to_image_attn(tokens + token_positions, image_query, image)
        tokens = self.norm_token_to_image(tokens + attended)
        tokens = self.norm_mlp(tokens + self.mlp(tokens))
        attended = self.image_to_token_attn(image_query, tokens + token_positions, tokens)
        return tokens, self.norm_image_to_token(image + attended)


class TwoWayTransformer(nn.Module):
    """The decoder's blocks, and a final attention of the tokens to the image."""

    def __init__(self, width: int, config: MaskDecoderConfig, ops: Ops) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayBlock(width, config, i == 0, ops) for i in range(config.layers)
        )
        self.final_attn = CrossAttention(width, config.cross_width, config.heads, ops)
        self.norm_final = ops.LayerNorm(width, eps=config.norm_eps)

    def forward(
        self, tokens: Tensor, image: Tensor, image_positions: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Tokens N×T×C, image (1 or N)×hw×C, positions 1×hw×C → tokens N×T×C, image N×hw×C."""
        token_positions = tokens
        for layer in self.layers:
            tokens, image = layer(tokens, image, token_positions, image_positions)
        attended = self.final_attn(tokens + token_positions, image + image_positions, image)
        return self.norm_final(tokens + attended), image


class LowResMasks(NamedTuple):
    """Logits N×M×4h×4w and predicted quality N×M of the decoder's masks."""

    logits: Tensor
    iou: Tensor

    def float(self) -> "LowResMasks":
        """The same in float32."""
        return LowResMasks(self.logits.float(), self.iou.float())


class MaskDecoder(nn.Module):
    """Each mask token's hypernetwork makes the weights of a 1×1 convolution over the map."""

    def __init__(self, config: SAMConfig, ops: Ops) -> None:
        super().__init__()
        width, decoder = config.width, config.decoder
        once, twice = decoder.upscaled
        self.iou_token = nn.Parameter(torch.empty(1, width))
        self.mask_tokens = nn.Parameter(torch.empty(decoder.mask_tokens, width))
        self.transformer = TwoWayTransformer(width, decoder, ops)
        self.upscaler = nn.Sequential(
            ops.ConvTranspose2d(width, once, kernel_size=2, stride=2),
            LayerNorm2d(once, decoder.map_norm_eps),
            nn.GELU(),
            ops.ConvTranspose2d(once, twice, kernel_size=2, stride=2),
            nn.GELU(),
        )
        hidden = decoder.mask_hidden
        self.hypernetworks = nn.ModuleList(
            relu_mlp((width, hidden, hidden, twice), ops) for _ in range(decoder.mask_tokens)
        )
        hidden = decoder.iou_hidden
        self.iou_head = relu_mlp((width, hidden, hidden, decoder.mask_tokens), ops)

    def forward(
        self, embedding: Tensor, positions: Tensor, tokens: Tensor, dense: Tensor, multimask: bool
    ) -> LowResMasks:
        """Masks for N prompts on one image.

        Args:
            embedding: 1×C×h×w of the image.
            positions: 1×C×h×w, the encoded coordinates of its pixels.
            tokens: N×T×C of points and boxes.
            dense: (1 or N)×C×h×w (or ×1×1), of mask prompts.
            multimask: all masks but the first, or only the first.

        Returns:
            Logits N×M×4h×4w and quality N×M.
        """
        own = torch.cat([self.iou_token, self.mask_tokens]).to(tokens)
        tokens = torch.cat([own.expand(len(tokens), -1, -1), tokens], dim=1)  # N×(1+masks+T)×C
        image = (embedding + dense).flatten(2).transpose(1, 2)  # (1 or N)×hw×C
        tokens, image = self.transformer(tokens, image, positions.flatten(2).transpose(1, 2))
        image = image.transpose(1, 2).unflatten(2, embedding.shape[2:])  # N×C×h×w
        enlarged = self.upscaler(image)  # N×C/8×4h×4w
        wanted = range(1, len(self.hypernetworks)) if multimask else range(1)
        weights = [self.hypernetworks[i](tokens[:, 1 + i]) for i in wanted]
        logits = torch.stack(weights, dim=1) @ enlarged.flatten(2)  # N×M×(4h·4w)
        iou = self.iou_head(tokens[:, 0])[:, wanted.start : wanted.stop]
        return LowResMasks(logits.unflatten(2, enlarged.shape[2:]), iou)
