"""Kinds of scenes from close by, in which the lowest row need not be nearest."""

import math

from .scene import Scene
from .things import GREEN, animal, bust, flower
from .views import far_behind, look, look_close, sun


def portrait(s: Scene) -> None:
    """One thing of rounded parts, large in the picture, far in front of what is behind."""
    look_close(s, 6, (25, 55))
    if s.chance(0.5):
        s.ground()
    away = s.spread(0.25, 2.5)
    size = away * math.tan(math.radians(s.fov / 2)) * s.uniform(0.5, 1.3)
    x, y = s.uniform(-0.5, 0.5) * size, 1.5 + s.uniform(-0.6, 0.3) * size
    y -= math.tan(s.pitch) * away
    matter = s.material(size)
    for i in range(s.count(2, 9)):
        part = size * (s.uniform(0.5, 0.9) if i == 0 else s.uniform(0.08, 0.6))
        at = s.rng.normal(0, 0.5, 3) * size * (i > 0)
        half = tuple(part * s.uniform(0.4, 1) for _ in range(3))
        shape = "cylinder" if i and s.chance(0.3) else "ellipsoid"
        centre = (x + at[0], y + at[1] - 0.2 * size * (i > 0), away + 0.4 * size + 0.6 * at[2])
        turns = [s.uniform(0, 6.3) for _ in range(3)]
        material = matter if s.chance(0.6) else None
        s.add(shape, centre, (half[0], half[1], half[2]), material, *turns)
    far_behind(s, away * s.spread(2, 30) + size)


def figure(s: Scene) -> None:
    """Somebody's head and shoulders, or an animal, near."""
    look_close(s, 6, (25, 60))
    if s.chance(0.5):
        away = s.spread(0.5, 2)
        bust(s, s.uniform(-0.3, 0.3) * away, 1.5 + s.uniform(-0.1, 0.2) * away, away)
        if s.chance(0.3):
            bust(s, s.uniform(-0.5, 0.5) * away, 1.5, away * s.uniform(1.5, 3))
        if s.chance(0.3):
            s.ground()
    else:
        tall = s.spread(0.2, 1.5)
        away = tall * s.spread(1.2, 5)
        height = tall * s.uniform(0.3, 2)
        s.eye = (0.0, height, 0.0)
        s.pitch += math.atan2(height - 0.5 * tall, away)
        animal(s, s.uniform(-0.25, 0.25) * away, away, tall)
        if s.chance(0.3):
            animal(s, s.uniform(-0.8, 0.8) * away, away * s.uniform(1.3, 3), tall)
        s.ground(s.material(tall, GREEN if s.chance(0.3) else None))
    far_behind(s, away * s.spread(2, 30))


def macro(s: Scene) -> None:
    """Flowers from close by, before leaves, a dark wall or open country far behind."""
    look_close(s, 12, (20, 45))
    away = s.spread(0.15, 1)
    reach = away * math.tan(math.radians(s.fov / 2))
    for i in range(s.count(1, 3)):
        z = away * (1 if i == 0 else s.uniform(1.2, 3))
        x, y = (s.uniform(-0.7, 0.7) * reach * z / away for _ in range(2))
        centre = (x, 1.5 - math.tan(s.pitch) * z + y, z)
        flower(s, centre, reach * s.uniform(0.25, 1.1))
    for _ in range(s.count(0, 6)):
        z = away * s.spread(0.8, 6)
        x, y = (s.uniform(-1, 1) * reach * z / away for _ in range(2))
        half = (reach * s.uniform(0.1, 0.6), reach * s.uniform(0.05, 0.3), 0.02 * reach)
        turns = [s.uniform(0, 6.3) for _ in range(3)]
        s.add("ellipsoid", (x, 1.5 + y, z), half, s.material(reach, GREEN), *turns)
    behind = away * s.spread(4, 40)
    if s.chance(0.3):
        dark = s.material(behind, (0.04, 0.05, 0.04))
        s.stand("box", 0, behind, (900, 900, 0.1), dark, base=-400)
    else:
        far_behind(s, behind)


def thicket(s: Scene) -> None:
    """Leaves, stalks and branches at all distances: the lowest row need not be nearest."""
    look(s, 1.5, 0, 15)
    s.yaw = 0.0
    sun(s)
    deep, thin = s.spread(1, 8), s.chance(0.6)
    if s.chance(0.6):
        s.ground(s.material(1, GREEN))
    if s.chance(0.7):
        s.stand("box", 0, deep * s.uniform(1.2, 3), (900, 900, 1), s.material(deep), base=-400)
    hue = GREEN if s.chance(0.6) else None
    matters = [s.material(0.3, hue) for _ in range(4)]
    for _ in range(s.count(8, 30)):
        z = s.spread(0.25 * deep, deep)
        x, y = s.uniform(-0.8, 0.8) * z, 1.5 + s.uniform(-0.8, 0.8) * z
        matter, turns = matters[s.count(0, 3)], [s.uniform(0, 6.3) for _ in range(3)]
        if s.chance(0.6):
            size = z * s.spread(0.05, 0.25)
            half = (size, size * s.uniform(0.3, 1), size * (0.08 if thin else 0.6))
            s.add("ellipsoid", (x, y, z), half, matter, *turns)
        else:
            thick = z * s.spread(0.005, 0.04)
            s.add("cylinder", (x, y, z), (thick, z * s.uniform(0.2, 1), thick), matter, *turns)
