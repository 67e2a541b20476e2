"""Eight ways to draw a poster out of flat shapes. Pure functions of a seeded random and a palette."""

import math
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from web.shapes import Pen, Shape, box, disc, oval, ring

WIDTH, HEIGHT = 800, 600


class Palette(NamedTuple):
    ground: str
    first: str
    second: str
    third: str
    ink: str

    @property
    def colours(self) -> list[str]:
        """All but the ground."""
        return [self.first, self.second, self.third, self.ink]


Motif = Callable[[Random, Palette], list[Shape]]


def arcs(r: Random, p: Palette) -> list[Shape]:
    """Sound leaving a stage: rings around a point at the lower edge."""
    x = r.choice([WIDTH * 0.5, WIDTH * 0.28, WIDTH * 0.72])
    count = r.randint(6, 8)
    cycle = r.choice(
        [
            [p.first, p.ground, p.first, p.ground],
            [p.first, p.ink, p.second, p.ground],
            [p.third, p.ground, p.third, p.ground],
            [p.second, p.ground, p.first, p.ground],
        ]
    )
    step = HEIGHT / count
    shapes = [disc(x, HEIGHT, i * step, cycle[i % len(cycle)]) for i in range(count, 0, -1)]
    shapes.append(disc(x, HEIGHT, step * 0.62, r.choice([p.second, p.third])))
    if r.random() < 0.8:
        away = WIDTH - x if x != WIDTH / 2 else WIDTH * 0.8
        shapes.append(disc(away, 130, r.randint(38, 58), r.choice([p.second, p.third])))
    return shapes


def sun(r: Random, p: Palette) -> list[Shape]:
    """A disc cut by bands that grow, over two hills."""
    x, y, radius = WIDTH / 2 + r.randint(-110, 110), 285, r.randint(190, 225)
    shapes = [disc(x, y, radius, p.second)]
    top, thickness = y + radius * 0.06, 7.0
    while top < y + radius:
        shapes.append(box(0, top, WIDTH, thickness, p.ground))
        top += 27 + thickness * 0.65
        thickness += 4.6
    shapes.append(oval(x + r.choice([-260, 260]), 640, 520, r.randint(150, 180), p.first))
    shapes.append(oval(WIDTH - x, 690, 640, r.randint(170, 190), p.third))
    return shapes


def tiles(r: Random, p: Palette) -> list[Shape]:
    """Quarter discs, half discs and triangles on a grid of four by three."""
    side = 200
    shapes = []
    for row in range(3):
        for column in range(4):
            x, y = column * side, row * side
            colour, other = r.sample(p.colours, 2)
            kind = r.choice("qqqhcdbq")
            if r.random() < 0.42:
                shapes.append(box(x - 0.4, y - 0.4, side + 0.8, side + 0.8, other))
            if kind == "q":
                shapes.append(_quarter(x, y, side, r.randint(0, 3), colour))
            elif kind == "h":
                shapes.append(_half(x, y, side, colour, upward=r.random() < 0.5))
            elif kind == "c":
                shapes += [disc(x + 100, y + 100, 100, colour), disc(x + 100, y + 100, 42, other)]
            elif kind == "d":
                shapes.append(Pen(x, y + side).line(x + side, y).line(x + side, y + side).fill(colour))
    return shapes


def beams(r: Random, p: Palette) -> list[Shape]:
    """Spotlights that cross above a stage, and two rows of heads."""
    shapes = []
    for colour, x in zip(p.colours, sorted(r.sample(range(60, 760, 70), 4)), strict=True):
        foot, spread = WIDTH - x + r.randint(-90, 90), r.randint(110, 190)
        light = r.choice([0.7, 0.8, 0.55])
        shapes.append(Pen(x, -20).line(foot - spread, 520).line(foot + spread, 520).fill(colour, opacity=light))
    shapes.append(oval(WIDTH / 2, 560, 560, 96, p.first))
    for row, (y, radius, count) in enumerate([(560, 34, 9), (604, 46, 8)]):
        for i in range(count):
            seat = (i + 0.5 + 0.5 * row) * WIDTH / count + r.randint(-9, 9)
            shapes.append(disc(seat, y + r.randint(-8, 8), radius, [p.ink, p.ground][row]))
    return shapes


def waves(r: Random, p: Palette) -> list[Shape]:
    """Layers of water under a moon."""
    moon = disc(r.choice([210, 590, 400]), r.randint(150, 190), r.randint(74, 104), r.choice([p.second, p.third]))
    colours = [*p.colours, p.first]
    r.shuffle(colours)
    shapes = [moon]
    for i, colour in enumerate(colours):
        height, x, y = r.randint(24, 46), -r.randint(0, 200) - 100, 250 + i * 76
        water = Pen(x, y)
        for crest in range(6):
            water.curve(x + 100, y - height if crest % 2 else y + height, x + 200, y)
            x += 200
        shapes.append(water.line(x, 620).line(-200, 620).fill(colour))
    return shapes


def columns(r: Random, p: Palette) -> list[Shape]:
    """An equaliser that is also a skyline."""
    count, gap = r.choice([7, 8, 9]), 14
    width = (WIDTH - gap * (count + 1)) / count
    half = width / 2
    shapes: list[Shape] = []
    colour = ""
    for i in range(count):
        height = 110 + 390 * abs(math.sin((i + r.random() * 0.8) * 1.05 + r.random()))
        x, shoulder = gap + i * (width + gap), HEIGHT - height + half
        colour = r.choice([c for c in p.colours if c != colour])
        column = Pen(x, 620).arc(x + half, shoulder, half, 180, 360).line(x + width, 620)
        shapes.append(column.fill(colour))
        if r.random() < 0.45:
            shapes.append(disc(x + half, shoulder, width * 0.22, p.ground))
        if r.random() < 0.35 and height < 400:
            above = r.choice([c for c in p.colours if c != colour])
            shapes.append(disc(x + half, HEIGHT - height - width * 0.42, width * 0.26, above))
    return shapes


def orbits(r: Random, p: Palette) -> list[Shape]:
    """Discs that overlap, and a ring with three moons."""
    places = [(270, 250), (520, 340), (400, 210), (360, 430)]
    r.shuffle(places)
    shapes = []
    for (x, y), colour, light in zip(places, r.sample(p.colours, 4), [1, 0.9, 0.85, 0.9], strict=True):
        around = disc(x + r.randint(-50, 50), y + r.randint(-40, 40), r.randint(140, 215), colour, opacity=light)
        shapes.append(around)
    radius = r.randint(232, 268)
    shapes.append(ring(400, 300, radius, p.first, 5))
    for _ in range(3):
        angle = r.random() * math.tau
        moon_x, moon_y = 400 + radius * math.cos(angle), 300 + radius * math.sin(angle)
        shapes.append(disc(moon_x, moon_y, r.choice([13, 18, 24]), r.choice([p.second, p.third])))
    return shapes


def ribbon(r: Random, p: Palette) -> list[Shape]:
    """Parallel bands that turn a corner together."""
    width, innermost = 46, r.randint(96, 130)
    mirrored = r.random() < 0.5
    shapes = [
        _turn(innermost + i * width, width + 0.6, colour, mirrored=mirrored)
        for i, colour in enumerate([*p.colours, p.first])
    ]
    shapes.append(disc(400, 430, innermost - width * 0.9, r.choice([p.second, p.third])))
    return shapes


MOTIFS: tuple[Motif, ...] = (arcs, sun, tiles, beams, waves, columns, orbits, ribbon)


def _turn(radius: float, width: float, fill: str, *, mirrored: bool) -> Shape:
    """One band that comes from the side, goes half around the heart and leaves again."""
    outer, inner = radius + width / 2, radius - width / 2
    edge, start, end = (840, 270, 90) if mirrored else (-40, -90, 90)
    band = Pen(edge, 430 - outer).arc(400, 430, outer, start, end).line(edge, 430 + outer)
    return band.line(edge, 430 + inner).arc(400, 430, inner, end, start).line(edge, 430 - inner).fill(fill)


def _quarter(x: int, y: int, side: int, corner: int, fill: str) -> Shape:
    """A quarter disc around one corner of its square: 0 top left, 1 top right, 2 bottom right, 3 bottom left."""
    px, py = x + (corner in (1, 2)) * side, y + (corner in (2, 3)) * side
    return Pen(px, py).arc(px, py, side, corner * 90, corner * 90 + 90).fill(fill)


def _half(x: int, y: int, side: int, fill: str, *, upward: bool) -> Shape:
    """Half a disc, on the lower edge of its square or hanging from the upper."""
    radius = side / 2
    base, start = (y + side, 180) if upward else (y, 0)
    return Pen(x + radius, base).arc(x + radius, base, radius, start, start + 180).fill(fill)
