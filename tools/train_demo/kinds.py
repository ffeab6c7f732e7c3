"""The kinds of scenes, each a function that fills a `Scene`."""

from collections.abc import Callable

from .close import figure, macro, portrait, thicket
from .scene import Scene
from .wide import colonnade, corridor, crowd, field, pile, room, scatter, stairs, street, tabletop

Kind = Callable[[Scene], None]
TRAINED: tuple[Kind, ...] = (
    scatter,
    room,
    corridor,
    street,
    field,
    tabletop,
    crowd,
    pile,
    portrait,
    portrait,  # one near thing before all else is what people like to photograph
    figure,
    macro,
    thicket,
)
HELD_OUT: tuple[Kind, ...] = (stairs, colonnade)
