"""What a list of orders shows, whether of all events or of one: its rows, in words, and what joins them."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, Response

from domain.access import Permission
from domain.orders import OrderStatus
from models import order_desk
from web import rendering, words
from web.admin import access, order_search
from web.admin.order_search import OrderSearch, uuid_of
from web.live import Look, Seen

# However much is sold, an open list is told at most so often: each of its readers then asks what it means for theirs.
SECONDS_BETWEEN_LOOKS = 1.0
NO_EVENT = UUID(int=0)

Chip = tuple[str, str | None, str]
PAID: Chip = ("Paid", "info", "credit-card")
COMPLETED: Chip = ("Completed", "ok", "check")
REFUNDED: Chip = ("Refunded", None, "arrow-left")
CANCELLED: Chip = ("Cancelled", None, "arrow-left")
PARTLY: Chip = ("Partly refunded", "warn", "arrow-left")
DISPUTED: Chip = ("Disputed", "bad", "triangle-alert")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a list stands. `event`: whose orders these are, or the one that was chosen among all; `own`: it is the
    event's own list. Days and times are those of `timezone`."""

    path: str
    timezone: str
    event: Mapping[str, Any] | None = None
    own: bool = False

    @property
    def event_id(self) -> UUID | None:
        return self.event["id"] if self.event and self.own else None


async def shown(
    request: Request, search: OrderSearch, place: Place, *, seen: UUID | None = None, joining: int = 0
) -> dict[str, Any]:
    """All that the list's templates need. `joining`: so many of its first rows are new since `seen`."""
    newest = await order_desk.newest()
    wanted = search.wanted(place.timezone, event_id=place.event_id)
    found = await order_desk.page(wanted, older=search.older, newer=search.newer)
    rows = [row_in_words(row, place.timezone) for row in found.rows]
    return {
        "search": search,
        "place": place,
        "orders": rows,
        "joining": joining,
        "count": count_in_words(found.count),
        "asked": order_search.in_words(search, None if place.own else place.event),
        "older": found.rows[-1]["id"] if found.older else None,
        "newer": found.rows[0]["id"] if found.newer and found.rows else None,
        "at_top": not found.newer,
        "seen": newest,
        "arrivals": "",
        "statuses": order_search.STATUSES,
        "moneys": order_search.MONEY,
        "providers": order_search.PROVIDERS,
        "focus": bool(request.query_params.get("focus")),
        "may_export": access.me(request).may(Permission.EXPORT_ORDERS),
    }


async def answer(request: Request, search: OrderSearch, place: Place) -> Response[Any]:
    """What of an open page changes with the search. A mistake in a day is said there, and the list stays as it is."""
    if search.errors:
        return access.fragment(request, "admin/orders/refused.swap.html", status_code=422, search=search)
    values = await shown(request, search, place)
    # The fields of somebody who is typing are left alone, unless they have to lose what was wrong with them.
    values["mend"] = bool(request.query_params.get("mend"))
    found = access.fragment(request, "admin/orders/list.swap.html", **values)
    name = "HX-Replace-Url" if search.begins else "HX-Push-Url"
    found.headers[name] = search.address(place.path, older=search.older, newer=search.newer)
    return found


async def say_arrivals(request: Request, search: OrderSearch, place: Place) -> Response[Any]:
    """What has come since this reader's list was made. It joins the first page of all orders while neither pointer nor
    focus are in it (static/admin.js says so: `still`); anywhere else it waits behind a link, and no row moves."""
    seen = uuid_of(request.query_params, "seen")
    wanted = search.wanted(place.timezone, event_id=place.event_id)
    count = await order_desk.arrived(wanted, since=seen)
    if request.query_params.get("still") and search.begins and not search.is_active:
        values = await shown(request, search, place, seen=seen, joining=count)
        return access.fragment(request, "admin/orders/joined.swap.html", said=new_in_words(count), **values)
    return access.fragment(
        request, "admin/orders/arrivals.swap.html", search=search, place=place, arrivals=new_in_words(count)
    )


def look(event_id: UUID | None = None) -> Look:
    """For the stream: a bell that rings when a first page would show something else. Every listener gets the same, and
    asks then what has come for them."""
    looked = 0.0

    async def find(_: set[UUID] | None) -> dict[UUID, Seen]:
        nonlocal looked
        await asyncio.sleep(max(0.0, looked + SECONDS_BETWEEN_LOOKS - time.monotonic()))
        looked = time.monotonic()
        found = await order_desk.pulse(event_id)
        body = rendering.render("admin/orders/bell.swap.html", pulse=found["pulse"])
        return {event_id or NO_EVENT: Seen(body, as_of=found["as_of"])}

    return find


def row_in_words(order: Any, timezone: str) -> dict[str, Any]:
    return {"row": order, "chips": chips(order), "when": when_in_words(order["created_at"], timezone)}


def chips(order: Any) -> list[Chip]:
    """What an order is, in a word, and in a second one when the bank disputes it."""
    return [_standing(order), *([DISPUTED] if order["disputed"] else [])]


def _standing(order: Any) -> Chip:
    if order["status"] == OrderStatus.PAID:
        return PAID
    match order["refunded"]:
        case "part":
            return PARTLY
        case "whole":
            return REFUNDED if order["total_amount"] else CANCELLED
    return COMPLETED


def count_in_words(count: int) -> str:
    """12 orders; above what is counted: More than 1,000 orders."""
    many = count > order_desk.MANY
    return ("More than " if many else "") + words.plural(min(count, order_desk.MANY), "order")


def new_in_words(count: int) -> str:
    many = count > order_desk.MOST_NEW
    said = words.plural(min(count, order_desk.MOST_NEW), "new order")
    return f"More than {said}" if many else said if count else ""


def when_in_words(moment: datetime, timezone: str) -> str:
    """Sun 29 Nov 2026, 14:05: also of last year, so the year stands there."""
    return f"{words.short_day(moment, timezone)}, {words.clock(moment, timezone)}"
