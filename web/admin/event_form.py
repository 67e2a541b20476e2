"""The fields of an event: how each is typed, what is wrong with it in words, and how it stands in its control again.

The same fields make the page of a new event and the page where each is saved by itself.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain import local_time
from domain.events import LONGEST_TITLE
from domain.local_time import NoSuchTime
from web import words
from web.admin import zones
from web.admin.typed import YEARS, stored_moment
from web.buyer_form import TURNING, UNPRINTABLE

ECHO = 50_000  # of something far too long, as much comes back to be repaired
LONGEST_PROSE = 20_000
# A description is sent as it is now and as it was. A letter is up to 12 bytes there (%F0%9F%8E%AA); the rest is little.
LARGEST_BODY = 12 * (ECHO + LONGEST_PROSE) + 64 * 1024
MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(?::\d\d(?:\.\d+)?)?", re.ASCII)

CURRENCIES = (
    "EUR USD GBP CHF AUD BRL CAD CZK DKK HKD HUF ILS INR JPY KRW MXN NOK NZD PLN RON SEK SGD THB TRY ZAR".split()
)

NOT_A_MOMENT = "Choose a day and a time, such as 2027-01-23 14:00."
NOT_A_YEAR = "Check the year."
NOT_A_ZONE = "Choose a time zone from the list, such as Europe/Vienna."
NOT_A_CURRENCY = "Choose a currency from the list."
CURRENCY_IN_USE = "Tickets have been held or sold at prices in {}, so the currency stays."
ODD = "Use letters and spaces only. Something in this text can’t be shown."


@dataclass(frozen=True, slots=True)
class Field:
    """`kind`: text, prose, moment, zone or currency. `needed`: what to say when it is empty, if it may not be."""

    name: str
    label: str
    kind: str = "text"
    longest: int = 120
    needed: str = ""
    hint: str = ""
    placeholder: str = ""


FIELDS = {
    field.name: field
    for field in (
        Field("title", "Title", longest=LONGEST_TITLE, needed="Give the event a title."),
        Field("summary", "In one line", longest=200, hint="For the list, and where a link to the event is shared."),
        Field(
            "description",
            "Description",
            "prose",
            LONGEST_PROSE,
            hint="A blank line starts a paragraph. **bold**, *italic*, # heading, - list, [link](https://…).",
        ),
        Field("category", "Category", longest=60, placeholder="Concert, talk, workshop"),
        Field("start_date", "Starts", "moment", needed="Choose when it starts."),
        Field("end_date", "Ends", "moment"),
        Field(
            "timezone",
            "Time zone",
            "zone",
            needed="Choose the time zone of the place.",
            hint="Type a city to find it. All times of the event are in this zone.",
        ),
        Field("location", "Place", placeholder="Palm House"),
        Field("address", "Address", longest=200, placeholder="Botanic Garden, Schubertstraße 59"),
        Field("city", "City", longest=80),
        Field("currency", "Currency", "currency", needed="Choose the currency of the prices."),
    )
}


def text(form: Mapping[str, Any], name: str) -> str:
    """As it was typed, with line ends as we keep them."""
    value = form.get(name)
    return value.replace("\r\n", "\n").replace("\r", "\n")[:ECHO] if isinstance(value, str) else ""


def read(field: Field, typed: str, timezone: str) -> Any:
    """What is stored. A ValueError says, to whoever typed it, what is wrong."""
    value = READERS[field.kind](field, typed, timezone)
    if field.needed and not value:
        raise ValueError(field.needed)
    return value


def in_control(field: Field, value: Any, timezone: str) -> str:
    """What is stored, as its control shows it."""
    if field.kind == "moment":
        return f"{local_time.on_clocks(value, words.zone(timezone)):%Y-%m-%dT%H:%M}" if value else ""
    return value


def mark(value: Any) -> str:
    """What is stored, as a form carries it along: exactly."""
    if isinstance(value, datetime):
        return value.isoformat()
    return value or ""


def read_mark(field: Field, carried: str) -> Any:
    """What the form had read. Whatever is no mark of ours equals nothing that is stored."""
    if field.kind != "moment":
        return carried
    try:
        return stored_moment(carried) if carried else None
    except ValueError:
        return carried


def check_letters(text: str) -> None:
    """A ValueError for what cannot be shown, or would turn the text around it."""
    if any((c not in "\n\t" and unicodedata.category(c) in UNPRINTABLE) or c in TURNING for c in text):
        raise ValueError(ODD)


def end_before_start(start: datetime, timezone: str) -> str:
    return f"The end is before the start. Choose {on_clocks(start, timezone)} or later."


def prices_typed(currency: str, *, on_sale: bool) -> str:
    """On sale a price of 0 would be taken at its word."""
    first = "Take the event off sale, then set" if on_sale else "Set"
    return f"Prices are typed in {currency}. {first} them to 0, choose the currency, and type them anew."


def on_clocks(moment: datetime, timezone: str) -> str:
    """23 Jan 2027, 14:00"""
    return _say(local_time.on_clocks(moment, words.zone(timezone)))


def _say(local: datetime) -> str:
    return f"{local.day} {local:%b %Y, %H:%M}"


def _read_text(field: Field, typed: str, _: str) -> str:
    return _checked(field, " ".join(unicodedata.normalize("NFC", typed).split()))


def _read_prose(field: Field, typed: str, _: str) -> str:
    lines = (line.rstrip() for line in unicodedata.normalize("NFC", typed).split("\n"))
    return _checked(field, "\n".join(lines).strip("\n"))


def _checked(field: Field, value: str) -> str:
    check_letters(value)
    if len(value) > field.longest:
        raise ValueError(f"Shorten it to {field.longest:,} characters. It has {len(value):,} now.")
    return value


def _read_moment(field: Field, typed: str, timezone: str) -> datetime | None:
    if not typed.strip():
        return None
    found = MOMENT.fullmatch(typed.strip())
    try:
        local = datetime.fromisoformat(f"{found[1]}T{found[2]}" if found else "")
    except ValueError:
        raise ValueError(NOT_A_MOMENT) from None
    if local.year not in YEARS:
        raise ValueError(NOT_A_YEAR)
    try:
        return local_time.moment(local, words.zone(timezone))
    except NoSuchTime as refusal:
        jump = f"Clocks in {timezone} jump over {local:%H:%M} that night."
        raise ValueError(f"{jump} Choose {_say(refusal.next_local)} or later.") from None


def _read_zone(field: Field, typed: str, _: str) -> str | None:
    if typed.strip() and not (found := zones.find(typed)):
        raise ValueError(NOT_A_ZONE)
    return found if typed.strip() else None


def _read_currency(field: Field, typed: str, _: str) -> str | None:
    if typed and typed not in CURRENCIES:
        raise ValueError(NOT_A_CURRENCY)
    return typed or None


READERS: dict[str, Callable[[Field, str, str], Any]] = {
    "text": _read_text,
    "prose": _read_prose,
    "moment": _read_moment,
    "zone": _read_zone,
    "currency": _read_currency,
}
