"""The list of events at the desk: what is searched for, the page of it that is shown, and how full each one is."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request

from models import event_desk
from web import words
from web.admin import event_page
from web.admin.event_page import DRAFT, ENDED, ON_SALE, SOLD_OUT, State
from web.listing import LONGEST_TEXT, PAGE_NUMBER, mentions

HERE = "/admin/events"
PAGE = 50
STATUSES = {"": "All", "drafts": "Drafts", "on-sale": "On sale", "sold-out": "Sold out", "past": "Past"}
OF_STATE: dict[State, str] = {DRAFT: "drafts", ON_SALE: "on-sale", SOLD_OUT: "sold-out", ENDED: "past"}


@dataclass(frozen=True, slots=True)
class Search:
    text: str = ""
    status: str = ""
    page: int = 1

    def query(self, **other: Any) -> str:
        """The same search, or nearly, as an address says it; without what is not asked for."""
        asked = {"q": self.text, "status": self.status, "page": self.page if self.page > 1 else "", **other}
        return urlencode({name: value for name, value in asked.items() if value})

    def address(self, *, status: str | None = None, page: int = 1) -> str:
        query = self.query(status=self.status if status is None else status, page=page if page > 1 else "")
        return f"{HERE}?{query}" if query else HERE


@dataclass(frozen=True, slots=True)
class Row:
    event: Mapping[str, Any]
    state: State

    @property
    def left(self) -> int:
        return max(0, self.event["total_capacity"] - self.event["sold"] - self.event["held"])

    @property
    def sales(self) -> str:
        """31 sold · 6 held · 23 left"""
        event = self.event
        if self.state is DRAFT and not event["sold"] and not event["held"]:
            return words.plural(event["total_capacity"], "place") if event["total_capacity"] else "No capacity yet"
        if self.state is ENDED:
            return f"{event['sold']:,} of {event['total_capacity']:,} sold"
        held = f"{event['held']:,} held · " if event["held"] else ""
        return f"{event['sold']:,} sold · {held}{self.left:,} left"

    def share(self, count: int) -> str:
        """Of the capacity, in per cent, as a drawing takes it."""
        return f"{100 * count / (self.event['total_capacity'] or 1):.2f}"


@dataclass(frozen=True, slots=True)
class Found:
    """`total` events match; `counts` says how many of what was typed are in each state."""

    rows: list[Row]
    total: int
    counts: Mapping[str, int]
    is_new: bool
    since: str
    page: int
    pages: int


def read_search(request: Request) -> Search:
    """Whatever is no filter of ours counts as not asked for."""
    asked = request.query_params
    status, page = asked.get("status", ""), asked.get("page", "")
    return Search(
        text=" ".join(asked.get("q", "").replace("\0", " ").split())[:LONGEST_TEXT],
        status=status if status in STATUSES else "",
        page=int(page) if PAGE_NUMBER.fullmatch(page) else 1,
    )


async def find(search: Search) -> Found:
    everything = await event_desk.overview()
    wanted = words.fold(search.text).split()
    matches = [(row, status_of(row)) for row in everything if not wanted or mentions(row["text"], wanted)]
    shown = sorted((row for row, status in matches if search.status in ("", status)), key=_order)
    pages = max(1, -(-len(shown) // PAGE))
    page = min(search.page, pages)
    first = (page - 1) * PAGE
    rows = await look([row["id"] for row in shown[first : first + PAGE]])
    return Found(
        rows=rows,
        total=len(shown),
        counts=Counter(status for _, status in matches) + Counter({"": len(matches)}),
        is_new=not everything,
        since=f"{rows[0].event['now'].timestamp():.6f}" if rows else "",
        page=page,
        pages=pages,
    )


async def look(event_ids: Iterable[UUID]) -> list[Row]:
    """These events as they are now, in this order; what is gone is left out."""
    wanted = list(event_ids)
    found = await event_desk.rows(wanted)
    return [Row(found[i], event_page.state(found[i])) for i in wanted if i in found]


def status_of(event: Mapping[str, Any]) -> str:
    return OF_STATE[event_page.state(event)]


def _order(event: Mapping[str, Any]) -> tuple[bool, float, UUID]:
    """What comes soonest first, drafts in their place; then what is over, the latest first."""
    over = (event["end_date"] or event["start_date"]) <= event["now"]
    start = event["start_date"].timestamp()
    return over, -start if over else start, event["id"]
