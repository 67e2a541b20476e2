"""Money and time in words, for pages and mails alike. Formatting is Babel’s trade; here is only which form."""

from datetime import datetime
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from babel.numbers import format_currency

from domain.money import decimals

LOCALE = "en"


def money(amount: int, currency: str) -> str:
    """Minor units to words: 2400 EUR → €24.00, 0 → Free."""
    if amount == 0:
        return "Free"
    return exact_money(amount, currency)


def exact_money(amount: int, currency: str) -> str:
    """The same, with nothing said as a number: €0.00."""
    return format_currency(amount / 10 ** decimals(currency), currency, locale=LOCALE)


def day(moment: datetime, timezone: str) -> str:
    """Friday 11 December 2026"""
    return format_datetime(moment, "EEEE d MMMM y", tzinfo=ZoneInfo(timezone), locale=LOCALE)


def short_day(moment: datetime, timezone: str) -> str:
    """Fri 11 Dec 2026"""
    return format_datetime(moment, "EEE d MMM y", tzinfo=ZoneInfo(timezone), locale=LOCALE)


def clock(moment: datetime, timezone: str) -> str:
    """19:30"""
    return format_datetime(moment, "HH:mm", tzinfo=ZoneInfo(timezone), locale=LOCALE)


def when(moment: datetime, timezone: str) -> str:
    """Fri 11 Dec · 19:30"""
    return format_datetime(moment, "EEE d MMM '·' HH:mm", tzinfo=ZoneInfo(timezone), locale=LOCALE)
