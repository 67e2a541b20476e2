"""Flat shapes that know themselves twice: as SVG for browsers, as outlines for whoever paints pixels."""

import math
from typing import NamedTuple

Point = tuple[float, float]
# Enough corners that a circle looks round at poster size.
CIRCLE_CORNERS, CURVE_CORNERS = 120, 16


class Shape(NamedTuple):
    """`outlines` are closed and filled even-odd: one inside another is a hole."""

    svg: str
    outlines: tuple[tuple[Point, ...], ...]
    fill: str
    opacity: float = 1


class Pen:
    """Draws an outline point by point, in both languages."""

    def __init__(self, x: float, y: float) -> None:
        self.path = f"M{_n(x)} {_n(y)}"
        self.points: list[Point] = [(x, y)]

    def line(self, x: float, y: float) -> "Pen":
        self.path += f"L{_n(x)} {_n(y)}"
        self.points.append((x, y))
        return self

    def curve(self, bend_x: float, bend_y: float, x: float, y: float) -> "Pen":
        """A quadratic curve."""
        self.path += f"Q{_n(bend_x)} {_n(bend_y)} {_n(x)} {_n(y)}"
        from_x, from_y = self.points[-1]
        for i in range(1, CURVE_CORNERS + 1):
            t = i / CURVE_CORNERS
            a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t * t
            self.points.append((a * from_x + b * bend_x + c * x, a * from_y + b * bend_y + c * y))
        return self

    def arc(self, x: float, y: float, radius: float, start: float, end: float) -> "Pen":
        """A line to the arc, then around its centre: degrees, 0 is right, 90 is down. Half a turn at most."""
        points = _around(x, y, radius, radius, start, end)
        self.line(*points[0])
        to_x, to_y = points[-1]
        self.path += f"A{_n(radius)} {_n(radius)} 0 0 {int(end > start)} {_n(to_x)} {_n(to_y)}"
        self.points += points
        return self

    def fill(self, colour: str, *, opacity: float = 1) -> Shape:
        svg = f'<path d="{self.path}Z" fill="{colour}"{_opacity(opacity)}/>'
        return Shape(svg, (tuple(self.points),), colour, opacity)


def disc(x: float, y: float, radius: float, fill: str, *, opacity: float = 1) -> Shape:
    svg = f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}" fill="{fill}"{_opacity(opacity)}/>'
    return Shape(svg, (_round(x, y, radius, radius),), fill, opacity)


def ring(x: float, y: float, radius: float, colour: str, width: float) -> Shape:
    svg = (
        f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}" fill="none" stroke="{colour}" stroke-width="{_n(width)}"/>'
    )
    outer, inner = radius + width / 2, radius - width / 2
    return Shape(svg, (_round(x, y, outer, outer), _round(x, y, inner, inner)), colour)


def oval(x: float, y: float, rx: float, ry: float, fill: str) -> Shape:
    svg = f'<ellipse cx="{_n(x)}" cy="{_n(y)}" rx="{_n(rx)}" ry="{_n(ry)}" fill="{fill}"/>'
    return Shape(svg, (_round(x, y, rx, ry),), fill)


def box(x: float, y: float, width: float, height: float, fill: str) -> Shape:
    svg = f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}" fill="{fill}"/>'
    return Shape(svg, (((x, y), (x + width, y), (x + width, y + height), (x, y + height)),), fill)


def _round(x: float, y: float, rx: float, ry: float) -> tuple[Point, ...]:
    return tuple(_around(x, y, rx, ry, 0, 360))


def _around(x: float, y: float, rx: float, ry: float, start: float, end: float) -> list[Point]:
    steps = max(2, round(CIRCLE_CORNERS * abs(end - start) / 360))
    angles = (math.radians(start + (end - start) * i / steps) for i in range(steps + 1))
    return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]


def _opacity(value: float) -> str:
    return "" if value == 1 else f' opacity="{_n(value)}"'


def _n(value: float) -> str:
    text = f"{value:.1f}"
    return text.removesuffix(".0")
