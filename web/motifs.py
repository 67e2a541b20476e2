"""Eight ways to draw a poster out of flat shapes. Pure functions of a seeded random and a palette; each returns SVG."""

import math
from collections.abc import Callable
from random import Random
from typing import NamedTuple

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


Motif = Callable[[Random, Palette], list[str]]


def arcs(r: Random, p: Palette) -> list[str]:
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


def sun(r: Random, p: Palette) -> list[str]:
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


def tiles(r: Random, p: Palette) -> list[str]:
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
                shapes.append(path(f"M{x} {y + side}L{x + side} {y}V{y + side}Z", colour))
    return shapes


def beams(r: Random, p: Palette) -> list[str]:
    """Spotlights that cross above a stage, and two rows of heads."""
    shapes = []
    for colour, x in zip(p.colours, sorted(r.sample(range(60, 760, 70), 4)), strict=True):
        foot, spread = WIDTH - x + r.randint(-90, 90), r.randint(110, 190)
        light = r.choice([0.7, 0.8, 0.55])
        shapes.append(path(f"M{x} -20L{foot - spread} 520H{foot + spread}Z", colour, opacity=light))
    shapes.append(oval(WIDTH / 2, 560, 560, 96, p.first))
    for row, (y, radius, count) in enumerate([(560, 34, 9), (604, 46, 8)]):
        for i in range(count):
            x = (i + 0.5 + 0.5 * row) * WIDTH / count + r.randint(-9, 9)
            shapes.append(disc(x, y + r.randint(-8, 8), radius, [p.ink, p.ground][row]))
    return shapes


def waves(r: Random, p: Palette) -> list[str]:
    """Layers of water under a moon."""
    moon = disc(r.choice([210, 590, 400]), r.randint(150, 190), r.randint(74, 104), r.choice([p.second, p.third]))
    colours = [*p.colours, p.first]
    r.shuffle(colours)
    shapes = [moon]
    for i, colour in enumerate(colours):
        height, shift = r.randint(24, 46), r.randint(0, 200)
        crests = "".join(f"q100 {-height if j % 2 else height} 200 0" for j in range(6))
        shapes.append(path(f"M{-shift - 100} {250 + i * 76}{crests}V620H-200Z", colour))
    return shapes


def columns(r: Random, p: Palette) -> list[str]:
    """An equaliser that is also a skyline."""
    count, gap = r.choice([7, 8, 9]), 14
    width = (WIDTH - gap * (count + 1)) / count
    half = width / 2
    shapes: list[str] = []
    colour = ""
    for i in range(count):
        height = 110 + 390 * abs(math.sin((i + r.random() * 0.8) * 1.05 + r.random()))
        x, shoulder = gap + i * (width + gap), HEIGHT - height + half
        colour = r.choice([c for c in p.colours if c != colour])
        arch = f"a{_n(half)} {_n(half)} 0 0 1 {_n(width)} 0"
        shapes.append(path(f"M{_n(x)} 620V{_n(shoulder)}{arch}V620Z", colour))
        if r.random() < 0.45:
            shapes.append(disc(x + half, shoulder, width * 0.22, p.ground))
        if r.random() < 0.35 and height < 400:
            above = r.choice([c for c in p.colours if c != colour])
            shapes.append(disc(x + half, HEIGHT - height - width * 0.42, width * 0.26, above))
    return shapes


def orbits(r: Random, p: Palette) -> list[str]:
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
        x, y = 400 + radius * math.cos(angle), 300 + radius * math.sin(angle)
        shapes.append(disc(x, y, r.choice([13, 18, 24]), r.choice([p.second, p.third])))
    return shapes


def ribbon(r: Random, p: Palette) -> list[str]:
    """Parallel bands that turn a corner together."""
    width, innermost = 46, r.randint(96, 130)
    mirrored = r.random() < 0.5
    bands = []
    for i, colour in enumerate([*p.colours, p.first]):
        radius = innermost + i * width
        turn = f"M-40 {430 - radius}H400A{radius} {radius} 0 0 1 400 {430 + radius}H-40"
        bands.append(f'<path d="{turn}" fill="none" stroke="{colour}" stroke-width="{width + 0.6}"/>')
    turned = ' transform="matrix(-1 0 0 1 800 0)"' if mirrored else ""
    heart = disc(400, 430, innermost - width * 0.9, r.choice([p.second, p.third]))
    return [f"<g{turned}>{''.join(bands)}</g>", heart]


MOTIFS: tuple[Motif, ...] = (arcs, sun, tiles, beams, waves, columns, orbits, ribbon)


def disc(x: float, y: float, radius: float, fill: str, *, opacity: float = 1) -> str:
    return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}" fill="{fill}"{_opacity(opacity)}/>'


def ring(x: float, y: float, radius: float, stroke: str, width: float) -> str:
    return (
        f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}" fill="none" stroke="{stroke}" stroke-width="{_n(width)}"/>'
    )


def oval(x: float, y: float, rx: float, ry: float, fill: str) -> str:
    return f'<ellipse cx="{_n(x)}" cy="{_n(y)}" rx="{_n(rx)}" ry="{_n(ry)}" fill="{fill}"/>'


def box(x: float, y: float, width: float, height: float, fill: str) -> str:
    return f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" fill="{fill}"/>'


def path(outline: str, fill: str, *, opacity: float = 1) -> str:
    return f'<path d="{outline}" fill="{fill}"{_opacity(opacity)}/>'


def _quarter(x: int, y: int, side: int, corner: int, fill: str) -> str:
    """A quarter disc around one corner of its square: 0 top left, 1 top right, 2 bottom right, 3 bottom left."""
    right, bottom = corner in (1, 2), corner in (2, 3)
    px, py = x + right * side, y + bottom * side
    across, down = (-side if right else side), (-side if bottom else side)
    sweep = 1 if across * down > 0 else 0
    return path(f"M{px} {py}h{across}A{side} {side} 0 0 {sweep} {px} {py + down}Z", fill)


def _half(x: int, y: int, side: int, fill: str, *, upward: bool) -> str:
    base = y + side if upward else y
    radius = side // 2
    return path(f"M{x} {base}A{radius} {radius} 0 0 {1 if upward else 0} {x + side} {base}Z", fill)


def _opacity(value: float) -> str:
    return "" if value == 1 else f' opacity="{_n(value)}"'


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
