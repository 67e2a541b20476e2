"""Values for the desk's drawings: bars over time and bars of capacity. The drawings are templates; here are numbers.

A chart is 100 wide and 100 high, a capacity bar 100 wide, whatever size they are shown at.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

GAP = 0.32  # of the width that one bar has


@dataclass(frozen=True, slots=True)
class Column:
    """One bar to be: what stands below it, what it is called, how high it is, and its row in the table."""

    label: str
    name: str
    value: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Chart:
    """`scale`: what stands beside the highest, the middle and the lowest line. `said`: the chart in words."""

    bars: tuple[Bar, ...]
    scale: tuple[str, str, str]
    labels: tuple[str, ...]
    said: str
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Capacity:
    """One bar of what is sold, on hold and free of `of`. Widths in hundredths of the bar."""

    name: str
    words: str
    free: str
    sold: float
    held: float
    href: str | None = None


def chart(columns: Sequence[Column], *, what: str, say: Callable[[int], str], scale: Callable[[int], str]) -> Chart:
    """`what`: such as “Tickets sold per hour”; `say`: a value in words; `scale`: a value beside a line."""
    top = ceiling(max((column.value for column in columns), default=0))
    each = 100 / max(1, len(columns))
    bars = []
    for place, column in enumerate(columns):
        height = round(100 * column.value / top, 2)
        x, width = round(each * (place + GAP / 2), 2), round(each * (1 - GAP), 2)
        bars.append(Bar(x, round(100 - height, 2), width, height, f"{column.name}: {say(column.value)}"))
    highest = max(columns, key=lambda column: column.value, default=None)
    said = f"{what}; most: {say(highest.value)}, {highest.name}" if highest and highest.value else f"{what}: none"
    return Chart(
        bars=tuple(bars),
        scale=(scale(top), scale(top // 2), scale(0)),
        labels=tuple(column.label for column in columns),
        said=said,
        rows=tuple((column.name, *column.cells) for column in columns),
    )


def ceiling(value: int) -> int:
    """A round number that is not below the value, with a whole half: 2, 4, 6, 10, 20, 40 …"""
    power = 1
    while True:
        for step in (2, 4, 6, 10):
            if value <= step * power:
                return step * power
        power *= 10


def capacity(name: str, *, sold: int, held: int, of: int, free: str, href: str | None = None) -> Capacity:
    """`free`: what is left, in words, as only the caller knows what else limits it."""

    def share(count: int) -> float:
        return round(100 * count / of, 2) if of else 0

    return Capacity(name, f"{sold:,} sold · {held:,} on hold", free, share(sold), share(held), href)
