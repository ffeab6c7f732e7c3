"""Scenes from close by, in which the lowest row need not be the nearest."""

import math

from .objects import GREEN, animal, bust, flower
from .scene import Scene
from .staging import add_backdrop, add_sun, place_camera, place_close_camera


def portrait(s: Scene) -> None:
    """One object of rounded parts, large in the picture, far in front of the backdrop."""
    place_close_camera(s, 6, (25, 55))
    if s.chance(0.5):
        s.ground()
    away = s.log_uniform(0.25, 2.5)
    size = away * math.tan(math.radians(s.fov / 2)) * s.uniform(0.5, 1.3)
    x, y = s.uniform(-0.5, 0.5) * size, 1.5 + s.uniform(-0.6, 0.3) * size
    y -= math.tan(s.pitch) * away
    main_material = s.material(size)
    for i in range(s.integer(2, 9)):
        part = size * (s.uniform(0.5, 0.9) if i == 0 else s.uniform(0.08, 0.6))
        at = s.rng.normal(0, 0.5, 3) * size * (i > 0)
        half = tuple(part * s.uniform(0.4, 1) for _ in range(3))
        shape = "cylinder" if i and s.chance(0.3) else "ellipsoid"
        centre = (x + at[0], y + at[1] - 0.2 * size * (i > 0), away + 0.4 * size + 0.6 * at[2])
        turns = [s.uniform(0, 6.3) for _ in range(3)]
        material = main_material if s.chance(0.6) else None
        s.add(shape, centre, (half[0], half[1], half[2]), material, *turns)
    add_backdrop(s, away * s.log_uniform(2, 30) + size)


def figure(s: Scene) -> None:
    """A head and shoulders, or an animal, from close by."""
    place_close_camera(s, 6, (25, 60))
    if s.chance(0.5):
        away = s.log_uniform(0.5, 2)
        bust(s, s.uniform(-0.3, 0.3) * away, 1.5 + s.uniform(-0.1, 0.2) * away, away)
        if s.chance(0.3):
            bust(s, s.uniform(-0.5, 0.5) * away, 1.5, away * s.uniform(1.5, 3))
        if s.chance(0.3):
            s.ground()
    else:
        tall = s.log_uniform(0.2, 1.5)
        away = tall * s.log_uniform(1.2, 5)
        height = tall * s.uniform(0.3, 2)
        s.eye = (0.0, height, 0.0)
        s.pitch += math.atan2(height - 0.5 * tall, away)
        animal(s, s.uniform(-0.25, 0.25) * away, away, tall)
        if s.chance(0.3):
            animal(s, s.uniform(-0.8, 0.8) * away, away * s.uniform(1.3, 3), tall)
        s.ground(s.material(tall, GREEN if s.chance(0.3) else None))
    add_backdrop(s, away * s.log_uniform(2, 30))


def macro(s: Scene) -> None:
    """Flowers from close by, in front of leaves, a dark wall or open country."""
    place_close_camera(s, 12, (20, 45))
    away = s.log_uniform(0.15, 1)
    reach = away * math.tan(math.radians(s.fov / 2))
    for i in range(s.integer(1, 3)):
        z = away * (1 if i == 0 else s.uniform(1.2, 3))
        x, y = (s.uniform(-0.7, 0.7) * reach * z / away for _ in range(2))
        centre = (x, 1.5 - math.tan(s.pitch) * z + y, z)
        flower(s, centre, reach * s.uniform(0.25, 1.1))
    for _ in range(s.integer(0, 6)):
        z = away * s.log_uniform(0.8, 6)
        x, y = (s.uniform(-1, 1) * reach * z / away for _ in range(2))
        half = (reach * s.uniform(0.1, 0.6), reach * s.uniform(0.05, 0.3), 0.02 * reach)
        turns = [s.uniform(0, 6.3) for _ in range(3)]
        s.add("ellipsoid", (x, 1.5 + y, z), half, s.material(reach, GREEN), *turns)
    behind = away * s.log_uniform(4, 40)
    if s.chance(0.3):
        dark = s.material(behind, (0.04, 0.05, 0.04))
        s.stand("box", 0, behind, (900, 900, 0.1), dark, base=-400)
    else:
        add_backdrop(s, behind)


def thicket(s: Scene) -> None:
    """Leaves, stalks and branches at all distances."""
    place_camera(s, 1.5, 0, 15)
    s.yaw = 0.0
    add_sun(s)
    depth, thin = s.log_uniform(1, 8), s.chance(0.6)
    if s.chance(0.6):
        s.ground(s.material(1, GREEN))
    if s.chance(0.7):
        s.stand("box", 0, depth * s.uniform(1.2, 3), (900, 900, 1), s.material(depth), base=-400)
    hue = GREEN if s.chance(0.6) else None
    materials = [s.material(0.3, hue) for _ in range(4)]
    for _ in range(s.integer(8, 30)):
        z = s.log_uniform(0.25 * depth, depth)
        x, y = s.uniform(-0.8, 0.8) * z, 1.5 + s.uniform(-0.8, 0.8) * z
        material, turns = materials[s.integer(0, 3)], [s.uniform(0, 6.3) for _ in range(3)]
        if s.chance(0.6):
            size = z * s.log_uniform(0.05, 0.25)
            half = (size, size * s.uniform(0.3, 1), size * (0.08 if thin else 0.6))
            s.add("ellipsoid", (x, y, z), half, material, *turns)
        else:
            thick = z * s.log_uniform(0.005, 0.04)
            s.add("cylinder", (x, y, z), (thick, z * s.uniform(0.2, 1), thick), material, *turns)
