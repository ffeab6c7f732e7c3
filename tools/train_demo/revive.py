"""Mend a decoder whose maps have grown out of all proportion, without changing what it says.

Neither the loss nor the ReLUs see the size of the maps, so the weights grow as long as the
learning rate is high. Biases, which grow slower, then mean nothing, and units that are below zero
for every image stay there: thirty of the head's thirty-two did.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from dpt_core import capture

from .network import Trainable, make_network

SPREAD = 4.0  # what the standard deviation of the head's narrow map is brought to
ALIVE = 0.01  # share of the pixels at which a unit must be above zero


@torch.no_grad()
def revive(net: Trainable, images: Tensor) -> int:
    """Bring the decoder's maps to a sane size, and let dead units start anew.

    The result stays as it was, but for units that were not quite dead.

    Args:
        net: changed in place.
        images: B×3×H×W in [0, 1], by which it is judged.

    Returns:
        How many units started anew.
    """
    pairs = list(_pairs(net))
    narrow = "head.spatial_upsampler"
    with capture(net, [narrow, *(first for first, _ in pairs)]) as seen:
        net(images)
    _scale(net, seen[narrow].std().item() / SPREAD)
    fresh = make_network().to(images.device).state_dict()
    weights = net.state_dict()  # shares memory with the network
    count = 0
    for first, second in pairs:
        dead = (seen[first] > 0).float().mean(dim=(0, 2, 3)) < ALIVE
        weights[f"{first}.weight"][dead] = fresh[f"{first}.weight"][dead]
        weights[f"{first}.bias"][dead] = 0
        weights[f"{second}.weight"][:, dead] = 0
        count += int(dead.sum())
    return count


def _scale(net: Trainable, divisor: float) -> None:
    """Divide all maps after the reassembly; the last convolution multiplies again."""
    for name, parameter in net.named_parameters():
        is_first = name.startswith("reassemble") and name.endswith("fuse_proj.weight")
        is_later = name.startswith(("fusion", "head")) and name.endswith("bias")
        if is_first or (is_later and name != "head.proj_1ch.2.bias"):
            parameter /= divisor
        elif name == "head.proj_1ch.2.weight":
            parameter *= divisor


def _pairs(net: Trainable) -> Iterator[tuple[str, str]]:
    """A convolution before a ReLU, and the one that reads it."""
    yield "head.proj_1ch.0", "head.proj_1ch.2"
    for name, _ in net.named_modules():
        if name.endswith("conv_seq"):
            yield f"{name}.1", f"{name}.3"
