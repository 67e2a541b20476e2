"""The list of events: what a visitor searches for, and the cards that answer it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request

from domain.inventory import Level
from models import programme, stock
from models.stock import Shelf
from web import words
from web.availability import Pill, event_pill, prices
from web.covers import Cover, cover_of

PAGE = 24
LAST_PAGE = 40
WHENS = {"": "Any date", "week": "This week", "month": "This month", "weekend": "Weekends"}
LONGEST_TEXT = 100
PAGE_NUMBER = re.compile("[1-9][0-9]{0,3}")


@dataclass(frozen=True, slots=True)
class Search:
    text: str = ""
    when: str = ""
    city: str = ""
    available: bool = False
    page: int = 1

    @property
    def is_active(self) -> bool:
        return bool(self.text or self.when or self.city or self.available)

    def address(self, *, page: int = 1) -> str:
        """The same search as an address, without what is not asked for."""
        asked = {
            "q": self.text,
            "when": self.when,
            "city": self.city,
            "available": "1" if self.available else "",
            "page": str(page) if page > 1 else "",
        }
        query = urlencode({name: value for name, value in asked.items() if value})
        return f"/?{query}" if query else "/"


@dataclass(frozen=True, slots=True)
class Card:
    id: UUID
    slug: str
    title: str
    summary: str
    location: str
    city: str
    start_date: datetime
    timezone: str
    price: str
    pill: Pill
    cover: Cover
    is_on: bool
    focus: bool = False


@dataclass(slots=True)
class Month:
    name: str
    year: str
    cards: list[Card]

    @property
    def id(self) -> str:
        return f"{self.name}-{self.year}".lower()


@dataclass(frozen=True, slots=True)
class Programme:
    count: int
    feature: Card | None
    months: list[Month]
    more: bool
    as_of: float


def read_search(request: Request) -> Search:
    """Whatever is no filter of ours counts as not asked for."""
    asked = request.query_params
    when, page = asked.get("when", ""), asked.get("page", "")
    return Search(
        text=" ".join(asked.get("q", "").replace("\0", " ").split())[:LONGEST_TEXT],
        when=when if when in WHENS else "",
        city=asked.get("city", "").replace("\0", "")[:LONGEST_TEXT],
        available=bool(asked.get("available")),
        page=min(int(page), LAST_PAGE) if PAGE_NUMBER.fullmatch(page) else 1,
    )


async def find(search: Search) -> Programme:
    now = datetime.now(UTC)
    wanted = words.fold(search.text).split()
    matches = [m for m in await programme.upcoming(city=search.city) if not wanted or mentions(m.text, wanted)]
    ids = [m.id for m in matches if falls(search.when, max(m.start_date, now), now, m.timezone)]
    if search.available:
        shelves = await stock.look(ids)
        ids = [i for i in ids if i in shelves and _can_be_bought(shelves[i])]
    shown = ids[: search.page * PAGE]
    shelves = await stock.look(shown)
    first_new = shown[(search.page - 1) * PAGE] if 1 < search.page <= -(-len(shown) // PAGE) else None
    cards = [
        replace(_card(row, shelves[row["id"]]), focus=row["id"] == first_new)
        for row in await programme.cards(shown)
        if row["id"] in shelves
    ]
    feature = cards[0] if cards and not search.is_active else None
    return Programme(
        count=len(ids),
        feature=feature,
        months=_by_month(cards[1:] if feature else cards),
        more=len(ids) > len(shown) and search.page < LAST_PAGE,
        as_of=min((shelf.now for shelf in shelves.values()), default=now).timestamp(),
    )


def mentions(text: str, wanted: Sequence[str]) -> bool:
    """Every wanted word (folded) occurs, whatever its case and accents. Folded here and not in the database, whose
    idea of letters depends on how it was set up."""
    folded = words.fold(text)
    return all(word in folded for word in wanted)


def falls(when: str, start: datetime, now: datetime, timezone: str) -> bool:
    """Whether an event is this week (to Sunday), this month, or on a weekend, by the calendar where it takes place."""
    zone = words.zone(timezone)
    day, today = start.astimezone(zone).date(), now.astimezone(zone).date()
    match when:
        case "week":
            return day - timedelta(days=day.weekday()) == today - timedelta(days=today.weekday())
        case "month":
            return (day.year, day.month) == (today.year, today.month)
        case "weekend":
            return day.weekday() >= 5
    return True


def _can_be_bought(shelf: Shelf) -> bool:
    return event_pill(shelf, "UTC").level in (Level.PLENTY, Level.FEW)


def _card(row: Mapping[str, Any], shelf: Shelf) -> Card:
    return Card(
        id=row["id"],
        slug=row["slug"],
        title=row["title"],
        summary=row["summary"],
        location=row["location"],
        city=row["city"],
        start_date=row["start_date"],
        timezone=row["timezone"],
        price=_price(shelf),
        pill=event_pill(shelf, row["timezone"]),
        cover=cover_of(row),
        is_on=row["start_date"] <= shelf.now,
    )


def _price(shelf: Shelf) -> str:
    """€48, from €14, Free; a few free tickets do not make the evening free: free or from €14."""
    found = prices(shelf.stock)
    said = [words.round_price(price, shelf.currency) for price in found[:2]]
    if len(found) < 2:
        return "".join(said)
    return f"from {said[0]}" if found[0] else f"free or from {said[1]}"


def _by_month(cards: Sequence[Card]) -> list[Month]:
    months: list[Month] = []
    for card in cards:
        name, year = words.month(card.start_date, card.timezone)
        month = next((m for m in months if (m.name, m.year) == (name, year)), None)
        if month is None:
            month = Month(name, year, [])
            months.append(month)
        month.cards.append(card)
    return months
