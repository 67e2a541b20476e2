"""What Today and an event's live desk say alike about sales: figures, money of several currencies, and the charts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from domain.money import decimals
from domain.sales import Period, Quarter, Sum, by_period, days, hours, together
from web import words
from web.admin import charts
from web.admin.charts import Chart, Column

HOURS, DAYS = 24, 14
MANY = 1000


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, what it is of, and what there is to say beside it."""

    name: str
    value: str
    beside: str


@dataclass(frozen=True, slots=True)
class SalesChart:
    """`sums`: all of it in words. `nothing`: what to say instead of a row of empty bars."""

    title: str
    sums: str
    zone: str
    heads: tuple[str, ...]
    chart: Chart
    nothing: str


def last_hours(sold: Sequence[Quarter], now: datetime, timezone: str, currency: str) -> SalesChart:
    """In tickets: what is free is sold too."""
    periods = hours(now, words.zone(timezone), HOURS)
    sums = by_period(sold, periods)
    columns = [
        Column(words.clock(period.start, timezone)[:2], name, found.tickets, _cells(found, currency))
        for period, name, found in zip(periods, _names_of_hours(periods, timezone), sums, strict=True)
    ]
    return _chart("hour", f"{HOURS} hours", columns, sums, words.zone_name(now, timezone), currency)


def last_days(
    sold: Sequence[Quarter], now: datetime, timezone: str, currency: str, *, in_money: bool = False
) -> SalesChart:
    """`in_money`: as high as what was taken, if all of it was of one currency."""
    periods = days(now, words.zone(timezone), DAYS)
    sums = by_period(sold, periods)
    codes = {code for found in sums for code, minor in found.money.items() if minor}
    of = codes.pop() if in_money and len(codes) == 1 else None
    columns = [
        Column(
            label=str(period.start.astimezone(words.zone(timezone)).day),
            name=words.short_day(period.start, timezone).rpartition(" ")[0],
            value=found.money.get(of, 0) if of else found.tickets,
            cells=_cells(found, currency),
        )
        for period, found in zip(periods, sums, strict=True)
    ]
    columns[-1] = replace(columns[-1], name=f"{columns[-1].name}, today")
    return _chart("day", f"{DAYS} days", columns, sums, words.zone_name(now, timezone), currency, of)


def today_and_yesterday(sold: Sequence[Quarter], now: datetime, timezone: str) -> tuple[Sum, Sum]:
    yesterday, today = by_period(sold, days(now, words.zone(timezone), 2))
    return today, yesterday


def people(count: int) -> str:
    return f"{words.plural(count, 'person', 'people')} at checkout" if count else "nobody at checkout"


def amounts(money: Mapping[str, int], currency: str, *, most: int = 2) -> str:
    """€486, or CHF 20 + €486: currencies are never added up. `currency`: of which there is nothing if there is none.

    Beyond `most` currencies only their number is said: the table has them all.
    """
    taken = [amount(minor, code) for code, minor in sorted(money.items()) if minor] or [amount(0, currency)]
    more = len(taken) - most
    return " + ".join(taken) if more <= 0 else f"{' + '.join(taken[:most])} + {more} more"


def amount(minor: int, currency: str) -> str:
    """Without cents where there are none: €486, €486.50."""
    digits = decimals(currency)
    said = words.money(minor, currency)
    return said.removesuffix("." + "0" * digits) if digits else said


def _chart(
    each: str,
    span: str,
    columns: list[Column],
    sums: list[Sum],
    zone: str,
    currency: str,
    money_of: str | None = None,
) -> SalesChart:
    in_all = together(sums)
    say: Callable[[int], str]
    scale: Callable[[int], str]
    if money_of:
        what = f"Sales per {each}"
        say = scale = partial(amount, currency=money_of)
    else:
        what, say, scale = f"Tickets sold per {each}", partial(words.plural, one="ticket"), "{:,}".format
    return SalesChart(
        title=f"{'Sales' if money_of else 'Tickets sold'}, last {span}",
        sums=f"{amounts(in_all.money, currency)} · {words.plural(in_all.tickets, 'ticket')}",
        zone=zone,
        heads=(each.capitalize(), "Tickets", "Orders", "Taken"),
        chart=charts.chart(columns, what=what, say=say, scale=scale),
        nothing="" if in_all.tickets else f"Nothing was sold in the last {span}.",
    )


def _cells(found: Sum, currency: str) -> tuple[str, ...]:
    return f"{found.tickets:,}", f"{found.orders:,}", amounts(found.money, currency, most=MANY)


def _names_of_hours(periods: Sequence[Period], timezone: str) -> list[str]:
    """Sun 29 Nov, 14:00; with the zone where clocks go back and an hour comes twice."""
    names = [words.when_in_words(period.start, timezone) for period in periods]
    return [
        f"{name} {words.zone_name(period.start, timezone)}" if names.count(name) > 1 else name
        for name, period in zip(names, periods, strict=True)
    ]
