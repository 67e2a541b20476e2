"""The list of events at the desk: what is searched for, the page of it that is shown, and how full each one is."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request

from domain.events import is_over
from domain.inventory import event_remaining
from domain.standing import Standing
from models import event_desk, stock
from models.event_desk import Outline
from models.stock import Shelf
from web import words
from web.admin import event_page
from web.admin.event_page import DRAFT, ENDED, SOLD_OUT, State
from web.listing import LONGEST_TEXT, PAGE_NUMBER, mentions

HERE = "/admin/events"
PAGE = 50
STATUSES = {
    "": "All",
    "drafts": "Drafts",
    "on-sale": "On sale",
    "off-sale": "Not on sale",
    "sold-out": "Sold out",
    "past": "Past",
}
OF_STANDING = {
    Standing.DRAFT: "drafts",
    Standing.ON_SALE: "on-sale",
    Standing.HELD: "on-sale",
    Standing.OFF: "off-sale",
    Standing.NOT_YET: "off-sale",
    Standing.ENDED: "off-sale",
    Standing.EVENT_FULL: "sold-out",
    Standing.TOO_FEW: "sold-out",
    Standing.OVER: "past",
}


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
    shelf: Shelf
    state: State

    @property
    def sales(self) -> str:
        """31 sold · 6 held · 23 left"""
        stock = self.shelf.stock
        if self.state is DRAFT and not stock.sold and not stock.held:
            return words.plural(stock.capacity, "place") if stock.capacity else "No capacity yet"
        if self.state in (ENDED, SOLD_OUT):
            return f"{stock.sold:,} of {stock.capacity:,} sold"
        held = f"{stock.held:,} held · " if stock.held else ""
        return f"{stock.sold:,} sold · {held}{max(0, event_remaining(stock)):,} left"

    def share(self, count: int) -> str:
        """Of the capacity, in per cent, as a drawing takes it."""
        return f"{100 * count / (self.shelf.stock.capacity or 1):.2f}"


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
    matches = [(each, status_of(each)) for each in everything if not wanted or mentions(each.text, wanted)]
    shown = sorted((each for each, status in matches if search.status in ("", status)), key=_order)
    pages = max(1, -(-len(shown) // PAGE))
    page = min(search.page, pages)
    first = (page - 1) * PAGE
    rows = await look([each.id for each in shown[first : first + PAGE]])
    return Found(
        rows=rows,
        total=len(shown),
        counts=Counter(status for _, status in matches) + Counter({"": len(matches)}),
        is_new=not everything,
        since=f"{rows[0].shelf.now.timestamp():.6f}" if rows else "",
        page=page,
        pages=pages,
    )


async def look(event_ids: Iterable[UUID]) -> list[Row]:
    """These events as they are now, in this order; what is gone is left out."""
    wanted = list(event_ids)
    found, shelves = await event_desk.rows(wanted), await stock.look(wanted)
    both = [(found[i], shelves[i]) for i in wanted if i in found and i in shelves]
    return [Row(event, shelf, event_page.state_of(shelf)) for event, shelf in both]


def status_of(event: Outline) -> str:
    return OF_STANDING[event.standing]


def _order(event: Outline) -> tuple[bool, float, UUID]:
    """What comes soonest first, drafts in their place; then what is over, the latest first."""
    over = is_over(start_date=event.stock.start_date, end_date=event.stock.end_date, now=event.now)
    start = event.stock.start_date.timestamp()
    return over, -start if over else start, event.id
