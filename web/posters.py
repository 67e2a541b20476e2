"""Posters drawn from an event's address: the same one for ever, never broken, never uploaded, about a kilobyte.

`drawing` tells the posters of one address apart; somebody may want another than the first. The palette also names the
page's hue: [data-hue="0…9"] in app.css.
"""

import hashlib
import random
from functools import lru_cache

from web import painting
from web.motifs import HEIGHT, MOTIFS, WIDTH, Palette
from web.shapes import Shape, box

PALETTES = (
    Palette("#2438d3", "#f4efe2", "#ff6b4a", "#101a78", "#b9c4ff"),  # 0 klein
    Palette("#f3e3cf", "#dd5530", "#f2a541", "#3c1d33", "#fff7ea"),  # 1 ember
    Palette("#1d3b2e", "#dbe6b8", "#7fb069", "#f2c14e", "#0e241b"),  # 2 moss
    Palette("#f5d3cf", "#cf3f6b", "#7a1f4b", "#fbf3ea", "#f08a9b"),  # 3 blush
    Palette("#d3ebea", "#0f7c8a", "#0a3d55", "#f5b841", "#ffffff"),  # 4 sea
    Palette("#371c4b", "#c9a7eb", "#f4845f", "#f7e1d7", "#221030"),  # 5 plum
    Palette("#e8dabf", "#2d3142", "#c4502f", "#ef8f3b", "#fbf6ea"),  # 6 sand
    Palette("#c4e6d3", "#14513f", "#ec5f40", "#fdf7e8", "#5fb08c"),  # 7 mint
    Palette("#0f1b3d", "#5b8def", "#f5d76e", "#e8eefc", "#1c3270"),  # 8 night
    Palette("#f2e57c", "#1e4d3a", "#ea7a49", "#fffdf2", "#8bbf6a"),  # 9 citrus
)
# What link previews ask for.
SHARED_SIZE = (1200, 630)


def hue(slug: str, drawing: int = 0) -> int:
    """Which palette an event has, 0 to 9."""
    return _pick(slug, drawing)[0]


@lru_cache(maxsize=1024)
def svg(slug: str, drawing: int = 0) -> bytes:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'preserveAspectRatio="xMidYMid slice">{"".join(shape.svg for shape in _shapes(slug, drawing))}</svg>'
    ).encode()


@lru_cache(maxsize=128)
def png(slug: str, drawing: int = 0) -> bytes:
    """For where a link to the event is shared: such places read no SVG. Takes a third of a second once."""
    return painting.png(_shapes(slug, drawing), source=(WIDTH, HEIGHT), size=SHARED_SIZE)


def _shapes(slug: str, drawing: int) -> list[Shape]:
    palette_number, motif_number, seed = _pick(slug, drawing)
    palette = PALETTES[palette_number]
    return [box(0, 0, WIDTH, HEIGHT, palette.ground), *MOTIFS[motif_number](random.Random(seed), palette)]


def _pick(slug: str, drawing: int) -> tuple[int, int, int]:
    """Palette, motif and the seed of everything else."""
    name = f"{slug} {drawing}" if drawing else slug
    digest = hashlib.blake2s(name.encode(), digest_size=8).digest()
    return digest[0] % len(PALETTES), digest[1] % len(MOTIFS), int.from_bytes(digest[2:], "big")
