"""How money, dates and counts are said. English, in the event's own time zone."""

from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import nh3
from babel.dates import format_datetime
from babel.numbers import format_currency
from markdown_it import MarkdownIt
from markupsafe import Markup

from domain import money as currencies

LOCALE = "en"


@lru_cache(maxsize=4096)
def money(minor: int, currency: str) -> str:
    """€24.00, CHF 24.00, ¥2,400. Agrees with the browser's Intl.NumberFormat("en")."""
    return format_currency(_major(minor, currency), currency, locale=LOCALE)


@lru_cache(maxsize=4096)
def money_short(minor: int, currency: str) -> str:
    """Without cents where there are none: €24. A price of nothing is “Free”."""
    if minor == 0:
        return "Free"
    full = money(minor, currency)
    decimals = currencies.decimals(currency)
    return full.removesuffix("." + "0" * decimals) if decimals else full


def _major(minor: int, currency: str) -> Decimal:
    return Decimal(minor).scaleb(-currencies.decimals(currency))


def plural(count: int, one: str, many: str | None = None) -> str:
    """1 ticket, 2 tickets, 1,200 tickets."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


@lru_cache(maxsize=512)
def zone(name: str) -> tzinfo:
    """The named zone; UTC for a name that this machine does not know, said as such."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def when(moment: datetime, timezone: str) -> str:
    """Fri 11 Dec · 19:30"""
    return _format(moment, timezone, "EEE d MMM · HH:mm")


def when_long(moment: datetime, timezone: str) -> str:
    """Friday 11 December 2026"""
    return _format(moment, timezone, "EEEE d MMMM y")


def clock(moment: datetime, timezone: str) -> str:
    """19:30"""
    return _format(moment, timezone, "HH:mm")


def iso(moment: datetime, timezone: str) -> str:
    """For machines: 2026-12-11T19:30:00+01:00"""
    return moment.astimezone(zone(timezone)).isoformat(timespec="seconds")


def _format(moment: datetime, timezone: str, pattern: str) -> str:
    return format_datetime(moment.astimezone(zone(timezone)), pattern, locale=LOCALE)


_markdown = MarkdownIt("commonmark", {"html": False, "linkify": False})
SAFE_TAGS = {"p", "br", "strong", "em", "ul", "ol", "li", "blockquote", "h2", "h3", "h4", "a", "hr", "code"}


@lru_cache(maxsize=256)
def markdown(text: str) -> Markup:
    """An organiser's text as safe HTML: no raw HTML, images or scripts, links that give nothing away."""
    html = nh3.clean(
        _markdown.render(text), tags=SAFE_TAGS, attributes={"a": {"href"}}, url_schemes={"https", "http", "mailto"},
        link_rel="nofollow ugc noopener noreferrer",
    )
    return Markup(html)  # noqa: S704 - cleaned above
