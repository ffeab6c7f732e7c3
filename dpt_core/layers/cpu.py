"""The layers of `torch.nn`, faster on a CPU: the same sums in another order.

A namespace like `torch.nn`, to build networks from. On other devices, and where nothing is
gained, these layers are PyTorch's own. Timings are for two cores of an AMD EPYC (AVX-512).
"""

import platform

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn import ConvTranspose2d, GroupNorm, LayerNorm

__all__ = [
    "Conv2d",
    "ConvTranspose2d",
    "GroupNorm",
    "LayerNorm",
    "Linear",
    "channels_last",
    "scaled_dot_product_attention",
]

# PyTorch's x86 builds run 1×1 convolutions in oneDNN and matrix products in MKL.
HAS_ONEDNN_AND_MKL = (
    platform.machine() in ("x86_64", "AMD64") and torch.backends.mkldnn.is_available()
)
MIN_TOKENS, MIN_WIDTH = 512, 256  # below these the two are equally fast

# Input and output channels, and pixels of the map: a plain convolution is faster below these.
MIN_IN_CHANNELS, MIN_OUT_CHANNELS, MIN_PIXELS = 96, 128, 60 * 60


class Linear(nn.Linear):
    """A linear layer that runs as a 1×1 convolution over many tokens on a CPU.

    The sum is the same, but oneDNN's kernel is 5 to 19 % faster than MKL's in float32, and 2 to 8 %
    faster than its own matrix product in bfloat16 (measured on two cores of an AMD EPYC, 1,370
    tokens, widths 384 to 4,096). With one thread it is never faster.
    """

    def forward(self, input: Tensor) -> Tensor:
        """B×…×C → B×…×outputs."""
        x = input
        is_large = (
            x.numel() >= MIN_TOKENS * self.in_features
            and min(self.in_features, self.out_features) >= MIN_WIDTH
        )
        is_plain = x.is_cpu and x.dtype in (torch.float32, torch.bfloat16)
        if not (HAS_ONEDNN_AND_MKL and is_large and is_plain and torch.get_num_threads() > 1):
            return super().forward(x)
        # Tokens become the pixels of a one-column image, channels innermost: nothing is copied.
        image = x.reshape(1, -1, 1, self.in_features).permute(0, 3, 1, 2)
        out = F.conv2d(image, self.weight[:, :, None, None], self.bias)
        return out.permute(0, 2, 3, 1).reshape(*x.shape[:-1], self.out_features)


class Conv2d(nn.Conv2d):
    """A convolution with fewer multiplications, if it is 3×3, wide and large, in float32 on a CPU.

    Swin V2-T takes 12 % less time with it, and BEiT-B 8 % (measured as above).
    """

    def forward(self, input: Tensor) -> Tensor:
        """B×C×H×W → B×outputs×h×w."""
        is_3x3 = self.kernel_size == (3, 3) and self.stride == self.padding == (1, 1)
        is_large = (
            self.in_channels >= MIN_IN_CHANNELS
            and self.out_channels >= MIN_OUT_CHANNELS
            and input.shape[-2] * input.shape[-1] >= MIN_PIXELS
        )
        is_learning = torch.is_grad_enabled() and (input.requires_grad or self.weight.requires_grad)
        is_plain = input.is_cpu and input.dtype == torch.float32
        if HAS_ONEDNN_AND_MKL and is_3x3 and is_large and is_plain and not is_learning:
            return winograd_conv3x3(input, self.weight, self.bias)
        return super().forward(input)


# The Toom–Cook matrices of F(4, 3) for the points 0, 1, −1, 1/2, −2 and infinity, which round
# less than the usual 0, ±1, ±2 (arXiv:1803.10986): 1e-5 of the result's spread, against 7e-6
# of a plain float32 convolution over 256 channels.
TO_POINTS = (
    (1.0, -1.5, -2.0, 1.5, 1.0, 0.0),
    (0.0, -1.0, 0.5, 2.5, 1.0, 0.0),
    (0.0, 1.0, -2.5, 0.5, 1.0, 0.0),
    (0.0, -2.0, -1.0, 2.0, 1.0, 0.0),
    (0.0, 0.5, -1.0, -0.5, 1.0, 0.0),
    (0.0, 1.0, -1.5, -2.0, 1.5, 1.0),
)
KERNEL_TO_POINTS = (
    (1.0, 0.0, 0.0),
    (1 / 3, 1 / 3, 1 / 3),
    (-1 / 3, 1 / 3, -1 / 3),
    (-16 / 15, -8 / 15, -4 / 15),
    (1 / 15, -2 / 15, 4 / 15),
    (0.0, 0.0, 1.0),
)
FROM_POINTS = (
    (1.0, 1.0, 1.0, 1.0, 1.0, 0.0),
    (0.0, 1.0, -1.0, 0.5, -2.0, 0.0),
    (0.0, 1.0, 1.0, 0.25, 4.0, 0.0),
    (0.0, 1.0, -1.0, 0.125, -8.0, 1.0),
)
TILES_PER_BAND = 128  # few enough for the cache


def winograd_conv3x3(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """``F.conv2d(x, weight, bias, padding=1)``, B×C×H×W and K×C×3×3 → B×K×H×W, channels innermost.

    Winograd's minimal filtering F(4, 3) (arXiv:1509.09308) takes 2.25 products per pixel instead
    of 9. A tile of 6×6 input pixels gives 4×4 output pixels: both are polynomials, multiplied by
    way of their values at a few points. Transforming the tiles takes time, which only many
    channels repay.
    """
    batch, channels, height, width = x.shape
    outputs = len(weight)
    columns = -(-width // 4)
    rows = max(1, TILES_PER_BAND // (batch * columns))  # rows of tiles in a band
    to_points, kernel_to_points, from_points = (
        torch.kron(matrix, matrix)
        for matrix in map(x.new_tensor, (TO_POINTS, KERNEL_TO_POINTS, FROM_POINTS))
    )
    kernel = kernel_to_points @ weight.permute(2, 3, 1, 0).reshape(9, -1)
    kernel = kernel.view(36, channels, outputs)
    source = x.permute(0, 2, 3, 1)
    result = x.new_empty(batch, height, width, outputs)
    # All bands use the same memory, which stays in the cache.
    count = batch * rows * columns
    padded = x.new_zeros(batch, 4 * rows + 2, 4 * columns + 2, channels)
    tiles = padded.unfold(1, 6, 4).unfold(2, 6, 4).permute(4, 5, 0, 1, 2, 3)
    pixels, values = x.new_empty(2, 36, count, channels)
    products = x.new_empty(36, count, outputs)
    sums = x.new_empty(4, 4, batch, rows, columns, outputs)
    band = x.new_empty(batch, rows, 4, columns, 4, outputs)
    for top in range(0, height, 4 * rows):
        above, below = max(0, top - 1), min(height, top + 4 * rows + 1)
        first, last = above - top + 1, below - top + 1
        padded[:, first:last, 1 : width + 1] = source[:, above:below]
        padded[:, last:] = 0
        pixels.view(tiles.shape).copy_(tiles)
        torch.mm(to_points, pixels.flatten(1), out=values.flatten(1))
        torch.bmm(values, kernel, out=products)
        torch.mm(from_points, products.flatten(1), out=sums.flatten(2).flatten(0, 1))
        band.copy_(sums.permute(2, 3, 0, 4, 1, 5))
        part = result[:, top : top + 4 * rows]
        part.copy_(band.view(batch, 4 * rows, 4 * columns, outputs)[:, : part.shape[1], :width])
        if bias is not None:
            part += bias
    return result.permute(0, 3, 1, 2)


QUERY_CHUNK = 512  # few enough that their rows of the attention matrix stay in the cache


def channels_last(x: Tensor) -> Tensor:
    """B×C×H×W with channels innermost, which CPU convolutions prefer; later maps keep the order.

    With the decoder in this order, Depth Anything V2-S takes 5 % less time. Always a copy: PyTorch
    does not recognise the strides of a slice of tokens, though its channels are innermost.
    """
    return x.clone(memory_format=torch.channels_last) if x.is_cpu else x


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None
) -> Tensor:
    """As in `torch.nn.functional`, for B×heads×N×d; bfloat16 runs as matrix products on a CPU."""
    is_slow = query.is_cpu and query.dtype == torch.bfloat16 and query.shape[-2] >= QUERY_CHUNK
    if is_slow and attn_mask is None:
        return attend_by_products(query, key, value)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=attn_mask)


def attend_by_products(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """``F.scaled_dot_product_attention`` of B×heads×N×d, as matrix products.

    On a CPU that multiplies bfloat16, this takes 0.6 of the time, because PyTorch's fused kernel
    multiplies float32. Logits are rounded to bfloat16, so they should be small: the mean of the
    keys, which adds the same to all logits of a query, is subtracted (arXiv:2410.02367).
    """
    query = query * query.shape[-1] ** -0.5
    key = (key - key.mean(dim=-2, keepdim=True)).mT
    mixed = torch.empty_like(value, memory_format=torch.contiguous_format)
    heads = zip(*(x.flatten(0, 1) for x in (mixed, query, key, value.contiguous())), strict=True)
    for result, queries, keys, values in heads:
        for rows, part in zip(result.split(QUERY_CHUNK), queries.split(QUERY_CHUNK), strict=True):
            rows.copy_((part @ keys).softmax(dim=-1) @ values)
    return mixed
