"""Sales by the hour and by the day of a time zone: sums over periods, and the periods themselves.

Money of different currencies is never added up. Hours and days are those of the clocks there: where clocks change, an
hour may come twice or not at all, and a day has 23 or 25 hours.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import pairwise

# What is counted together. Every zone's hours begin with one of these.
QUARTER = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Quarter:
    """What was sold for one currency in the quarter of an hour that begins `at`. `amount` in minor units."""

    at: datetime
    currency: str
    orders: int
    tickets: int
    amount: int


@dataclass(frozen=True, slots=True)
class Period:
    start: datetime
    end: datetime


@dataclass(slots=True)
class Sum:
    """`money`: currency → minor units."""

    orders: int = 0
    tickets: int = 0
    money: dict[str, int] = field(default_factory=dict)

    def add(self, *, orders: int, tickets: int, money: Mapping[str, int]) -> None:
        self.orders += orders
        self.tickets += tickets
        for currency, amount in money.items():
            self.money[currency] = self.money.get(currency, 0) + amount


def total(quarters: Iterable[Quarter]) -> Sum:
    found = Sum()
    for quarter in quarters:
        _add(found, quarter)
    return found


def together(sums: Iterable[Sum]) -> Sum:
    found = Sum()
    for each in sums:
        found.add(orders=each.orders, tickets=each.tickets, money=each.money)
    return found


def by_period(quarters: Iterable[Quarter], periods: list[Period]) -> list[Sum]:
    """What was sold in each period. They follow one another; what was sold outside of them is left out."""
    sums = [Sum() for _ in periods]
    if not periods:
        return sums
    place = 0
    for quarter in sorted(quarters, key=lambda quarter: quarter.at):
        if quarter.at < periods[0].start:
            continue
        while place < len(periods) and quarter.at >= periods[place].end:
            place += 1
        if place == len(periods):
            break
        _add(sums[place], quarter)
    return sums


def hours(now: datetime, zone: tzinfo, count: int) -> list[Period]:
    """The last hours as clocks there show them, oldest first; the last one is still going on."""
    found = [Period(start := _hour(now, zone), start + timedelta(hours=1))]
    while len(found) < count:
        end = found[-1].start
        found.append(Period(_hour(end - timedelta(microseconds=1), zone), end))
    return found[::-1]


def days(now: datetime, zone: tzinfo, count: int) -> list[Period]:
    """The last days there, from midnight to midnight, oldest first; the last one is today."""
    today = now.astimezone(zone).date()
    midnights = [_midnight(today + timedelta(days=ahead), zone) for ahead in range(1 - count, 2)]
    return [Period(start, end) for start, end in pairwise(midnights)]


def _add(found: Sum, quarter: Quarter) -> None:
    found.add(orders=quarter.orders, tickets=quarter.tickets, money={quarter.currency: quarter.amount})


def _hour(moment: datetime, zone: tzinfo) -> datetime:
    there = moment.astimezone(zone)
    return moment.astimezone(UTC) - timedelta(
        minutes=there.minute, seconds=there.second, microseconds=there.microsecond
    )


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
