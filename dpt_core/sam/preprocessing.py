"""Images to the network's input and logits back to the image, resampled as officially."""

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

# Of RGB values from 0 to 255.
MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)

Size = tuple[int, int]  # height, width


def resized_size(size: Size, side: int) -> Size:
    """The size of an image scaled to a longest side of `side` pixels, rounded as officially.

    No side is less than 1.
    """
    scale = side / max(size)
    height, width = (max(1, int(length * scale + 0.5)) for length in size)
    return height, width


def resize_image(image: Tensor, size: Size) -> Tensor:
    """3×H×W in [0, 1] → uint8 3×h×w: rounded to 8 bit, then bilinear with antialiasing.

    The model was trained on images resized like this, with Pillow; resizing floats instead
    changes the embedding by up to 4 % of its standard deviation.
    """
    pixels = image.detach().float().clamp(0, 1).mul(255).round_().to("cpu", torch.uint8)
    picture = Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())
    resized = picture.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(resized)).permute(2, 0, 1)


def to_network(image: Tensor, side: int) -> Tensor:
    """3×H×W in [0, 1] → the network's float32 input 1×3×side×side, on the CPU.

    Normalised, then padded with zeros on the right and at the bottom.
    """
    size = resized_size((image.shape[-2], image.shape[-1]), side)
    resized = resize_image(image, size).float()
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    normalised = resized.sub_(mean).div_(std)
    return F.pad(normalised, (0, side - size[1], 0, side - size[0])).unsqueeze(0)


def to_image(low_res: Tensor, side: int, size: Size) -> Tensor:
    """Logits N×M×h×w of the network → float32 N×M×H×W at the size of the image.

    In two steps, as the official code does: to the network's input, whose padding is cut off,
    and from there to the image.
    """
    full = F.interpolate(low_res.float(), (side, side), mode="bilinear", align_corners=False)
    height, width = resized_size(size, side)
    return F.interpolate(full[..., :height, :width], size, mode="bilinear", align_corners=False)
