"""The live desk of one event: what is sold, held and left, how it goes, and what happens right now.

Its page is whole without JavaScript. With it, one stream per page brings every region that changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get
from litestar.params import FromPath

from domain.access import Permission
from domain.inventory import TypeStock, available_to_customer, event_remaining
from domain.sales import Sum, total
from models import attention, sales
from models.sales import SOON, Taken, Takings
from models.stock import Shelf
from web import words
from web.admin import access, charts, event_page, feed, selling, stream
from web.admin.charts import Capacity
from web.admin.selling import Figure
from web.admin.stream import LIVE, POLLED, Sight
from web.live import Part, Seen

HOUR, DAY = "hour", "day"
REGIONS = {
    "day": "admin/today/_day.html",
    "figures": "admin/live/_figures.html",
    "attention": "admin/live/_attention.html",
    "chart": "admin/live/_chart.html",
    "chart-table": "admin/live/_table.html",
    "feed": "admin/live/_feed.html",
    "leaving": "admin/live/_leaving.html",
    "capacity": "admin/live/_capacity.html",
    "said": "admin/live/_said.html",
}


class LiveDeskController(Controller):
    path = "/events/{event_id:uuid}"
    opt = access.requires(Permission.SEE_SALES)

    @get()
    async def show(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        event = await event_page.find(event_id)
        desk = LiveDesk(event, stream.sight(request), _by(request))
        return event_page.page(request, event, "admin/live/show.html", tab="live", **await desk.values(anew=True))

    @get("/live", opt=LIVE)
    async def live(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        desk = LiveDesk(await event_page.find(event_id), stream.sight(request), _by(request))
        key = ("desk", event_id, desk.sight, desk.by)
        return stream.answer(request, key, desk.look, also=desk.sight.permissions)

    @get("/now", opt=POLLED)
    async def look_again(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        """What an open page asks every few seconds while its stream is away."""
        desk = LiveDesk(await event_page.find(event_id), stream.sight(request), _by(request))
        return stream.polled(REGIONS, await desk.values(anew=True))


@dataclass(slots=True)
class LiveDesk:
    """What everybody with the same sight is shown of an event. `by`: the chart's hours or days."""

    event: Mapping[str, Any]
    sight: Sight
    by: str
    _takings: Takings = field(init=False)

    def __post_init__(self) -> None:
        self._takings = Takings(self.event["id"])

    async def look(self, changed: set[Part] | None) -> dict[str, Seen]:
        values = await self.values(anew=changed is None)
        return stream.parts(REGIONS, values, now=values["now"], changes_in=_changes_in(values["on_hold"]))

    async def values(self, *, anew: bool) -> dict[str, Any]:
        event = await event_page.find(self.event["id"])
        shelf = event["shelf"]
        on_hold = await sales.on_hold(event["id"])
        taken = await self._takings.look(anew=anew)
        now, zone, currency = on_hold["now"], event["timezone"], event["currency"]
        chart = selling.last_days if self.by == DAY else selling.last_hours
        soonest = await sales.leaving(event["id"], now)
        visits, refunds = await sales.visits(event["id"]), await sales.refunds(event["id"])
        return {
            "now": now,
            "timezone": zone,
            "by": self.by,
            "on_hold": on_hold,
            "figures": _figures(event, shelf, on_hold, taken, now),
            "sales": chart(taken.sold, now, zone, currency),
            "lines": feed.lines(visits, refunds, now=now, names=self.sight.orders),
            "leaving": feed.leaving(soonest, now=now, names=self.sight.orders),
            "capacity_title": "Capacity",
            "bars": _bars(shelf),
            "more_events": 0,
            "attention": await attention.count_of(event["id"]) if self.sight.payments else 0,
            "of_event": True,
            "said": _said(shelf),
        }


def _by(request: Request) -> str:
    return DAY if request.query_params.get("by") == DAY else HOUR


def _figures(event: Mapping[str, Any], shelf: Shelf, on_hold: Any, taken: Taken, now: datetime) -> list[Figure]:
    ever = total(taken.sold)
    today, yesterday = selling.today_and_yesterday(taken.sold, now, event["timezone"])
    currency = event["currency"]
    figures = [
        Figure("Sold", f"{shelf.stock.sold:,}", f"{today.tickets:,} today · {yesterday.tickets:,} yesterday"),
        Figure("On hold", f"{on_hold['tickets']:,}", selling.people(on_hold["people"])),
        Figure("Left", f"{_left(shelf):,}", f"of {shelf.stock.capacity:,}"),
    ]
    if any(t.price for t in shelf.stock.types.values()) or any(ever.money.values()):
        lately = f"{_money(today, currency)} today · {_money(yesterday, currency)} yesterday"
        back = {code: minor for code, (_, minor) in taken.returned.items()}
        times = sum(count for count, _ in taken.returned.values())
        figures += [
            Figure("Taken", _money(ever, currency), lately),
            Figure("Refunded", selling.amounts(back, currency), words.plural(times, "refund") if times else "none"),
        ]
    return figures


def _money(found: Sum, currency: str) -> str:
    return selling.amounts(found.money, currency)


def _left(shelf: Shelf) -> int:
    return max(0, event_remaining(shelf.stock))


def _bars(shelf: Shelf) -> list[Capacity]:
    """All tickets, and each type when there are several or one is capped."""
    whole = shelf.stock
    bars = [
        charts.capacity(
            "All tickets", sold=whole.sold, held=whole.held, of=whole.capacity, free=f"{_left(shelf):,} free"
        )
    ]
    types = list(whole.types.values())
    if len(types) > 1 or any(t.allocation is not None for t in types):
        bars += [_bar(shelf, t) for t in types]
    return bars


def _bar(shelf: Shelf, ticket_type: TypeStock) -> Capacity:
    """A type without an allocation has all of the event's capacity for its bar, and shares what is free of it."""
    allocation = ticket_type.allocation
    free = f"{max(0, available_to_customer(shelf.stock, ticket_type)):,} free"
    return charts.capacity(
        ticket_type.name if ticket_type.is_enabled else f"{ticket_type.name} (off sale)",
        sold=ticket_type.sold,
        held=ticket_type.held,
        of=shelf.stock.capacity if allocation is None else allocation,
        free="shares what is free" if allocation is None else free,
    )


def _changes_in(on_hold: Any) -> float | None:
    """Seconds until a hold lapses, or is about to. Minutes in words wait for the next look of all."""
    moments = [on_hold["next_end"], on_hold["next_leaving"] and on_hold["next_leaving"] - SOON]
    return min(((moment - on_hold["now"]).total_seconds() for moment in moments if moment), default=None)


def _said(shelf: Shelf) -> str:
    """What a screen reader is told by itself: only what happens once or twice in the life of an event."""
    stock = shelf.stock
    if not stock.capacity or _left(shelf):
        return ""
    return "Sold out." if stock.sold >= stock.capacity else "Everything that is left is on hold."
