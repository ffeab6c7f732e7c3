"""The layers of networks whose host hands in none: torch.nn's, two of them faster on a CPU."""

import platform

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn import ConvTranspose2d, GroupNorm, LayerNorm

from . import winograd

__all__ = ["Conv2d", "ConvTranspose2d", "GroupNorm", "LayerNorm", "Linear"]

# Where a 1×1 convolution runs in oneDNN and a matrix product in MKL: x86 builds of PyTorch.
HAS_BOTH = platform.machine() in ("x86_64", "AMD64") and torch.backends.mkldnn.is_available()
LEAST_TOKENS, LEAST_WIDTH = 512, 256  # below these the two are equally fast

# In and out, and of the map: a plain convolution is faster below these.
LEAST_CHANNELS, LEAST_PIXELS = (96, 128), 60 * 60


class Linear(nn.Linear):
    """A linear layer that is a 1×1 convolution over many tokens on a CPU.

    It is the same sum, and oneDNN's kernel does it 5 to 19 % faster than MKL's in float32, and
    2 to 8 % faster than its own matrix product in bfloat16 (measured on two cores of an AMD
    EPYC, 1,370 tokens, widths 384 to 4,096). One thread is never faster.
    """

    def forward(self, input: Tensor) -> Tensor:
        """B×…×C → B×…×outputs."""
        x = input
        is_large = (
            x.numel() >= LEAST_TOKENS * self.in_features
            and min(self.in_features, self.out_features) >= LEAST_WIDTH
        )
        is_plain = x.is_cpu and x.dtype in (torch.float32, torch.bfloat16)
        if not (HAS_BOTH and is_large and is_plain and torch.get_num_threads() > 1):
            return super().forward(x)
        # Tokens are the pixels of an image of one column, channels innermost: nothing is copied.
        image = x.reshape(1, -1, 1, self.in_features).permute(0, 3, 1, 2)
        out = F.conv2d(image, self.weight[:, :, None, None], self.bias)
        return out.permute(0, 2, 3, 1).reshape(*x.shape[:-1], self.out_features)


class Conv2d(nn.Conv2d):
    """A convolution that multiplies less where it is 3×3, wide and large, in float32 on a CPU.

    Swin V2-T takes 12 % less time with it, BEiT-B 8 % (measured as above).
    """

    def forward(self, input: Tensor) -> Tensor:
        """B×C×H×W → B×outputs×h×w."""
        is_3x3 = self.kernel_size == (3, 3) and self.stride == self.padding == (1, 1)
        is_large = (
            self.in_channels >= LEAST_CHANNELS[0]
            and self.out_channels >= LEAST_CHANNELS[1]
            and input.shape[-2] * input.shape[-1] >= LEAST_PIXELS
        )
        is_learning = torch.is_grad_enabled() and (input.requires_grad or self.weight.requires_grad)
        is_plain = input.is_cpu and input.dtype == torch.float32
        if HAS_BOTH and is_3x3 and is_large and is_plain and not is_learning:
            return winograd.conv3x3(input, self.weight, self.bias)
        return super().forward(input)
