"""The types of scenes: each is a function that fills a `Scene`."""

from collections.abc import Callable

from .close_up_scenes import figure, macro, portrait, thicket
from .ground_scenes import corridor, crowd, field, pile, room, scatter, street, tabletop
from .held_out_scenes import colonnade, stairs
from .scene import Scene

SceneType = Callable[[Scene], None]
TRAINED: tuple[SceneType, ...] = (
    scatter,
    room,
    corridor,
    street,
    field,
    tabletop,
    crowd,
    pile,
    portrait,
    portrait,  # twice: people often photograph one near object
    figure,
    macro,
    thicket,
)
HELD_OUT: tuple[SceneType, ...] = (stairs, colonnade)
