"""What is on in the demo shop: programme.toml as values, and the dates of its events seen from today."""

import tomllib
import uuid
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

FILE = Path(__file__).with_name("programme.toml")
# Ids come from slugs and names, so that links to the demo outlive the database it was loaded into.
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "demo.foyer.example")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whatever is written in the programme."""


class Starts(Entry, frozen=True):
    """The first such weekday, or any day, at least `after` days from today."""

    after: int
    at: time
    weekday: str | None = None

    def on(self, today: date) -> date:
        day = today + timedelta(days=self.after)
        if self.weekday is None:
            return day
        return day + timedelta(days=(WEEKDAYS.index(self.weekday) - day.weekday()) % 7)


class Before(Entry, frozen=True):
    """A moment counted back from the event's first day."""

    days_before: int
    at: time


class TicketType(Entry, frozen=True):
    name: str
    description: str
    price: int
    allocation: int | None = None
    min: int = 1
    max: int = 10
    sold: int = 0
    held: bool = False
    on_sale_from: Before | None = None
    on_sale_until: Before | None = None


@dataclass(frozen=True)
class Dates:
    """One showing of an event. Times are in the event's own zone."""

    start: datetime
    end: datetime

    def moment(self, before: Before | None) -> datetime | None:
        if before is None:
            return None
        day = self.start.date() - timedelta(days=before.days_before)
        return datetime.combine(day, before.at, self.start.tzinfo)


class Listing(Entry, frozen=True, rename={"ticket_types": "ticket_type"}):
    """An event of the programme. `once` stays in the past; everything else is put on again when it has passed."""

    slug: str
    title: str
    category: str
    summary: str
    description: str
    location: str
    address: str
    city: str
    timezone: str
    currency: str
    capacity: int
    starts: Starts
    ends: time
    days: int = 1
    once: bool = False
    status: str = "PUBLISHED"
    parties: tuple[int, ...] = (1,)
    ticket_types: tuple[TicketType, ...] = ()

    @property
    def id(self) -> uuid.UUID:
        return uuid.uuid5(NAMESPACE, self.slug)

    def type_id(self, ticket_type: TicketType) -> uuid.UUID:
        return uuid.uuid5(self.id, ticket_type.name)

    def next_dates(self, now: datetime) -> Dates:
        zone = ZoneInfo(self.timezone)
        first = self.starts.on(now.astimezone(zone).date())
        last = first + timedelta(days=self.days - 1)
        return Dates(datetime.combine(first, self.starts.at, zone), datetime.combine(last, self.ends, zone))


def read(file: Path = FILE) -> list[Listing]:
    """Raises msgspec.ValidationError, which names the place, when the programme has a slip of the pen."""
    return msgspec.convert(tomllib.loads(file.read_text("utf-8"))["event"], list[Listing])
