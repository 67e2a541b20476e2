"""Flat shapes as a PNG. Small on purpose: it paints our posters and nothing else.

Painted at twice the size with one byte per pixel, the colour's number; then every four pixels become their mean, which
smooths the edges. All heavy work is done by bytes methods and a dictionary, so a poster takes a fraction of a second.
"""

import struct
import zlib
from collections.abc import Iterable

from web.shapes import Point, Shape

Colour = tuple[int, int, int]
FINE = 2


def png(shapes: Iterable[Shape], *, source: tuple[int, int], size: tuple[int, int]) -> bytes:
    """`source` is the space the shapes are drawn in; it fills `size` and is cut off where it is too high or wide."""
    width, height = size[0] * FINE, size[1] * FINE
    scale = max(width / source[0], height / source[1])
    left, top = (width - source[0] * scale) / 2, (height - source[1] * scale) / 2
    canvas = Canvas(width, height)
    for shape in shapes:
        outlines = [[(left + x * scale, top + y * scale) for x, y in outline] for outline in shape.outlines]
        canvas.paint(outlines, _colour(shape.fill), shape.opacity)
    return _encode(canvas.smooth_rows(), *size)


class Canvas:
    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.rows = [bytearray(width) for _ in range(height)]
        self.colours: list[Colour] = [(255, 255, 255)]

    def paint(self, outlines: list[list[Point]], colour: Colour, opacity: float) -> None:
        over = self._table(colour, opacity)
        for y, crossings in enumerate(_crossings(outlines, len(self.rows))):
            row = self.rows[y]
            crossings.sort()
            for start, end in zip(crossings[::2], crossings[1::2], strict=False):
                a, b = max(0, round(start)), min(self.width, round(end))
                if a < b:
                    row[a:b] = row[a:b].translate(over)

    def smooth_rows(self) -> Iterable[bytes]:
        """Every two by two pixels as one, in red, green and blue."""
        mean = _Means(self.colours)
        for upper, lower in zip(self.rows[::FINE], self.rows[1::FINE], strict=True):
            four = zip(upper[::FINE], upper[1::FINE], lower[::FINE], lower[1::FINE], strict=True)
            yield b"".join(map(mean.__getitem__, four))

    def _table(self, colour: Colour, opacity: float) -> bytes:
        """What each colour's number becomes under this one."""
        return bytes(self._number(_mix(under, colour, opacity)) for under in tuple(self.colours)).ljust(256, b"\0")

    def _number(self, colour: Colour) -> int:
        if colour not in self.colours:
            self.colours.append(colour)
        return self.colours.index(colour)


class _Means(dict[tuple[int, int, int, int], bytes]):
    """The mean of four colours, worked out once."""

    def __init__(self, colours: list[Colour]) -> None:
        self._colours = colours

    def __missing__(self, four: tuple[int, int, int, int]) -> bytes:
        reds, greens, blues = zip(*(self._colours[i] for i in four), strict=True)
        mean = self[four] = bytes(round(sum(part) / 4) for part in (reds, greens, blues))
        return mean


def _crossings(outlines: list[list[Point]], height: int) -> list[list[float]]:
    """For every row, where its middle crosses the outlines."""
    crossings: list[list[float]] = [[] for _ in range(height)]
    for outline in outlines:
        for (x1, y1), (x2, y2) in zip(outline, [*outline[1:], outline[0]], strict=True):
            if y1 > y2:
                x1, y1, x2, y2 = x2, y2, x1, y1
            first, last = max(0, round(y1)), min(height, round(y2))
            for y in range(first, last):
                crossings[y].append(x1 + (x2 - x1) * (y + 0.5 - y1) / (y2 - y1))
    return crossings


def _mix(under: Colour, over: Colour, opacity: float) -> Colour:
    red, green, blue = (round(u + (o - u) * opacity) for u, o in zip(under, over, strict=True))
    return red, green, blue


def _colour(text: str) -> Colour:
    """#2438d3"""
    red, green, blue = bytes.fromhex(text[1:].ljust(6, text[-1]))
    return red, green, blue


def _encode(rows: Iterable[bytes], width: int, height: int) -> bytes:
    """8-bit RGB; each row is preceded by its filter, which is none."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 6)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
