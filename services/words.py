"""Money and time in words, for pages and mails alike, and words as a search compares them. English; times in the
event's own zone."""

import re
import unicodedata
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.dates import format_datetime
from babel.numbers import format_currency

from domain.money import decimals

LOCALE = "en"
CODE_BEFORE_DIGIT = re.compile(r"[A-Z]{3}(?=\d)")


@lru_cache(maxsize=4096)
def money(minor: int, currency: str) -> str:
    """€24.00, CHF 24.00, ¥2,400: what the browser's Intl.NumberFormat("en") says too, which Babel does not quite."""
    return CODE_BEFORE_DIGIT.sub(
        "\\g<0>\N{NO-BREAK SPACE}", format_currency(minor / 10 ** decimals(currency), currency, locale=LOCALE)
    )


@lru_cache(maxsize=4096)
def price(minor: int, currency: str) -> str:
    """The price of a ticket: €24.00, or “Free”."""
    return money(minor, currency) if minor else "Free"


@lru_cache(maxsize=4096)
def round_price(minor: int, currency: str) -> str:
    """For a card, without cents where there are none: €24."""
    digits = decimals(currency)
    return price(minor, currency).removesuffix("." + "0" * digits) if digits else price(minor, currency)


PAID_BY = {"cash": "in cash", "transfer": "by bank transfer", "terminal": "by card at the box office"}


def paid_by(method: str) -> str:
    """How an order was paid that was sold at the desk: Paid … in cash."""
    return PAID_BY.get(method, "at the box office")


@lru_cache(maxsize=512)
def zone(name: str) -> tzinfo:
    """The named zone; UTC for a name that this machine does not know."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def when(moment: datetime, timezone: str) -> str:
    """Fri 11 Dec · 19:30"""
    return _say(moment, timezone, "EEE d MMM '·' HH:mm")


def when_in_words(moment: datetime, timezone: str) -> str:
    """Mon 30 Nov, 10:00"""
    return _say(moment, timezone, "EEE d MMM, HH:mm")


def day(moment: datetime, timezone: str) -> str:
    """Friday 11 December 2026"""
    return _say(moment, timezone, "EEEE d MMMM y")


def short_day(moment: datetime, timezone: str) -> str:
    """Fri 11 Dec 2026"""
    return _say(moment, timezone, "EEE d MMM y")


def month(moment: datetime, timezone: str) -> tuple[str, str]:
    """("December", "2026")"""
    return _say(moment, timezone, "LLLL"), _say(moment, timezone, "y")


def clock(moment: datetime, timezone: str) -> str:
    """19:30"""
    return _say(moment, timezone, "HH:mm")


def zone_name(moment: datetime, timezone: str) -> str:
    """What the clocks there are called at that moment: CET, CEST, UTC+04."""
    name = moment.astimezone(zone(timezone)).tzname() or "UTC"
    return f"UTC{name}" if name[0] in "+-" else name


def zone_offset(moment: datetime, timezone: str) -> int:
    """Minutes ahead of UTC: a visitor whose clock says the same need not be told the zone."""
    offset = moment.astimezone(zone(timezone)).utcoffset()
    return int(offset.total_seconds() // 60) if offset else 0


def span(start: datetime, end: datetime | None, timezone: str) -> str:
    """Starts 19:30, ends 20:45; over midnight or longer with the day it ends."""
    if end is None:
        return f"Starts {clock(start, timezone)}"
    if short_day(start, timezone) == short_day(end, timezone):
        return f"Starts {clock(start, timezone)}, ends {clock(end, timezone)}"
    return f"Starts {clock(start, timezone)}, ends {when_in_words(end, timezone)}"


def iso(moment: datetime, timezone: str) -> str:
    """For machines: 2026-12-11T19:30:00+01:00"""
    return moment.astimezone(zone(timezone)).isoformat(timespec="seconds")


# Letters that are no letter with an accent, as people without them on their keyboard write them.
STROKES = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})


def fold(text: str) -> str:
    """Without case and accents, as a search compares: Łódź → lodz, Süßes → susses."""
    decomposed = unicodedata.normalize("NFD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c)).translate(STROKES)


def _say(moment: datetime, timezone: str, pattern: str) -> str:
    return format_datetime(moment.astimezone(zone(timezone)), pattern, locale=LOCALE)
