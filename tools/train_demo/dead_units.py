"""Rescale a decoder whose maps have grown too large, and reset its dead units.

The loss and the ReLUs do not depend on the scale of the maps, so the weights grow while the
learning rate is high. Biases, which grow more slowly, then have no effect, and units that are below
zero for every image stay there: thirty of the head's thirty-two did.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from dpt_core import capture

from .network import Trainable, make_network

MAP = "head.spatial_upsampler"  # the map that is given the target standard deviation
TARGET_STD = 4.0
MIN_ACTIVE = 0.01  # share of pixels above zero; a unit with less is dead


@torch.no_grad()
def reset_dead_units(net: Trainable, images: Tensor) -> int:
    """Rescale the decoder's maps to `TARGET_STD`, and give dead units fresh weights.

    The network's output stays the same, except for units that were not quite dead.

    Args:
        net: modified in place.
        images: B×3×H×W in [0, 1], on which units are tested.

    Returns:
        How many units were reset.
    """
    pairs = list(_relu_pairs(net))
    with capture(net, [MAP, *(first for first, _ in pairs)]) as maps:
        net(images)
    _divide_maps(net, maps[MAP].std().item() / TARGET_STD)
    fresh = make_network().to(images.device).state_dict()
    weights = net.state_dict()  # shares memory with the network
    count = 0
    for first, second in pairs:
        dead = (maps[first] > 0).float().mean(dim=(0, 2, 3)) < MIN_ACTIVE
        weights[f"{first}.weight"][dead] = fresh[f"{first}.weight"][dead]
        weights[f"{first}.bias"][dead] = 0
        weights[f"{second}.weight"][:, dead] = 0
        count += int(dead.sum())
    return count


def _divide_maps(net: Trainable, divisor: float) -> None:
    """Divide all maps after the reassembly; the last convolution multiplies its result again."""
    for name, parameter in net.named_parameters():
        is_first = name.startswith("reassemble") and name.endswith("fuse_proj.weight")
        is_later = name.startswith(("fusion", "head")) and name.endswith("bias")
        if is_first or (is_later and name != "head.proj_1ch.2.bias"):
            parameter /= divisor
        elif name == "head.proj_1ch.2.weight":
            parameter *= divisor


def _relu_pairs(net: Trainable) -> Iterator[tuple[str, str]]:
    """Yield each convolution before a ReLU with the one after it."""
    yield "head.proj_1ch.0", "head.proj_1ch.2"
    for name, _ in net.named_modules():
        if name.endswith("conv_seq"):
            yield f"{name}.1", f"{name}.3"
