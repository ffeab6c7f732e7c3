"""Scenes for scores only, which are never trained on."""

import math

from .objects import anything, house, person
from .scene import Scene
from .staging import add_horizon, add_sun, place_camera, point_ahead


def stairs(s: Scene) -> None:
    """A flight of steps between walls, with people on them."""
    place_camera(s, s.uniform(1.2, 2.5), -2, 6)
    add_sun(s)
    s.ground()
    rise, tread, wide = s.uniform(0.12, 0.22), s.uniform(0.25, 0.6), s.uniform(3, 12)
    start, material = s.uniform(2, 6), s.material(1)
    steps = s.integer(6, 14)
    for i in range(steps):
        long = (steps - i) * tread + 6
        s.stand("box", 0, start + i * tread + long / 2, (wide, rise, long), material, base=i * rise)
    for sign in (-1, 1):
        if s.chance(0.7):
            s.stand("box", sign * (wide / 2 + 0.3), start + 5, (0.6, s.uniform(1, 4), 10))
    for _ in range(s.integer(0, 3)):
        step = s.integer(0, steps - 1)
        x = s.uniform(-0.4, 0.4) * wide
        person(s, x, start + (step + 0.5) * tread, base=(step + 1) * rise)
    if s.chance(0.6):
        house(s, 0, start + steps * tread + 12, (40, s.uniform(6, 20), 8))


def colonnade(s: Scene) -> None:
    """A ring or a hall of columns under beams, seen from within."""
    place_camera(s, s.uniform(1.2, 2), 0, 7)
    add_sun(s)
    s.ground()
    radius, thick, high = s.uniform(4, 12), s.uniform(0.3, 1), s.uniform(3, 8)
    material, count = s.material(1), s.integer(7, 11)
    for i in range(count):
        angle = (i + 0.5) / count * 2 * math.pi
        x, z = radius * math.sin(angle), radius * 0.9 + radius * math.cos(angle)
        s.stand("cylinder", x, z, (thick, high, thick), material)
        s.stand("box", x, z, (1.5 * thick, 0.3, 1.5 * thick), material, -angle, high)
    if s.chance(0.6):
        s.stand("box", 0, radius, (2.4 * radius, 0.4, 2.4 * radius), base=high + 0.3)
    for _ in range(s.integer(0, 2)):
        person(s, *point_ahead(s, 2, radius))
    for _ in range(s.integer(0, 4)):
        anything(s, *point_ahead(s, 2, 2 * radius), s.uniform(0.3, 1.5))
    add_horizon(s)
