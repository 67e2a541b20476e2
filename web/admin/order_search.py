"""What a list of orders is asked for: read from the address, said in words, and written as an address again."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from models.order_desk import Wanted
from web import words

LONGEST_TEXT = 100
STATUSES = {"PAID": "Paid, tickets on their way", "COMPLETED": "Completed"}
MONEY = {
    "none": "Nothing refunded",
    "part": "Partly refunded",
    "whole": "Fully refunded",
    "disputed": "Disputed at the bank",
}
PROVIDERS = {
    "stripe": "By card, at Stripe",
    "manual": "By hand, at the desk",
    "complimentary": "Complimentary",
    "free": "Free",
}
# As it stands on a ticket; typed without its hyphens or in small letters too.
TICKET = re.compile(r"FY-?([0-9A-Z]{4})-?([0-9A-Z]{4})-([1-9][0-9]{0,2})")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
YEARS = range(2000, 2101)


@dataclass(frozen=True, slots=True)
class OrderSearch:
    """`first` and `last` as they were typed; `errors`: field → what is wrong with it."""

    text: str = ""
    event: UUID | None = None
    status: str = ""
    money: str = ""
    provider: str = ""
    first: str = ""
    last: str = ""
    older: UUID | None = None
    newer: UUID | None = None
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def is_active(self) -> bool:
        return bool(self.query())

    @property
    def narrowed(self) -> int:
        """How many filters are on, beside the text and the event."""
        return sum(map(bool, (self.status, self.money, self.provider, self.first, self.last)))

    @property
    def begins(self) -> bool:
        """Whether it shows the newest."""
        return not self.older and not self.newer

    def wanted(self, timezone: str, *, event_id: UUID | None = None) -> Wanted:
        """Days begin and end at midnight in `timezone`. A day that is none narrows nothing. `event_id`: whose list."""
        ticket = TICKET.fullmatch(self.text.upper())
        return Wanted(
            text="" if ticket else self.text,
            ticket="FY-{}-{}-{}".format(*ticket.groups()) if ticket else "",
            event_id=event_id or self.event,
            status=self.status,
            money=self.money,
            provider=self.provider,
            since=_midnight(self.first, timezone) if "from" not in self.errors else None,
            until=_midnight(self.last, timezone, days=1) if "to" not in self.errors else None,
        )

    def query(self) -> dict[str, str]:
        """What is asked, as an address says it; places in the list are no part of it."""
        said = {
            "q": self.text,
            "event": str(self.event or ""),
            "status": self.status,
            "money": self.money,
            "provider": self.provider,
            "from": self.first,
            "to": self.last,
        }
        return {name: value for name, value in said.items() if value}

    def address(self, path: str, **place: UUID | int | None) -> str:
        """`place`: older=… or newer=… than a known order; focus=1 to be led to the list."""
        asked = self.query() | {name: str(value) for name, value in place.items() if value}
        return f"{path}?{urlencode(asked)}" if asked else path


def read(asked: Mapping[str, Any]) -> OrderSearch:
    """Whatever is no filter of ours counts as not asked for; a day that is none is said to be."""
    first, last = _text(asked, "from"), _text(asked, "to")
    return OrderSearch(
        text=_text(asked, "q"),
        event=uuid_of(asked, "event"),
        status=_one_of(STATUSES, asked, "status"),
        money=_one_of(MONEY, asked, "money"),
        provider=_one_of(PROVIDERS, asked, "provider"),
        first=first,
        last=last,
        older=uuid_of(asked, "older"),
        newer=uuid_of(asked, "newer"),
        errors=_mistakes(first, last),
    )


def in_words(search: OrderSearch, event: Mapping[str, Any] | None) -> str:
    """“refunds” · “Winter Light” · Completed · from 1 Nov 2026"""
    said = [
        f"“{search.text}”" if search.text else "",
        event["title"] if event else "",
        STATUSES.get(search.status, ""),
        MONEY.get(search.money, ""),
        PROVIDERS.get(search.provider, ""),
        f"from {search.first}" if search.first and "from" not in search.errors else "",
        f"to {search.last}" if search.last and "to" not in search.errors else "",
    ]
    return " · ".join(part for part in said if part)


def _mistakes(first: str, last: str) -> dict[str, str]:
    errors = {name: said for name, text in (("from", first), ("to", last)) if (said := _mistake(text))}
    if not errors and first and last and last < first:
        errors["to"] = "This is before the first day. Choose that day or a later one."
    return errors


def _mistake(text: str) -> str:
    if not text:
        return ""
    day = _day(text)
    if day is None:
        return "There is no such day. Write it as year, month and day: 2026-11-29."
    return "" if day.year in YEARS else f"Choose a day between {YEARS[0]} and {YEARS[-1]}."


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if DAY.fullmatch(text) else None
    except ValueError:
        return None


def _midnight(text: str, timezone: str, *, days: int = 0) -> datetime | None:
    day = _day(text)
    return datetime.combine(day + timedelta(days=days), time(), words.zone(timezone)) if day else None


def _text(asked: Mapping[str, Any], name: str) -> str:
    value = asked.get(name)
    return " ".join(value.replace("\0", " ").split())[:LONGEST_TEXT].strip() if isinstance(value, str) else ""


def _one_of(known: Mapping[str, str], asked: Mapping[str, Any], name: str) -> str:
    value = asked.get(name)
    return value if isinstance(value, str) and value in known else ""


def uuid_of(asked: Mapping[str, Any], name: str) -> UUID | None:
    try:
        return UUID(_text(asked, name))
    except ValueError:
        return None
