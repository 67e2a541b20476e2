"""Today: how selling goes over all events. Days are those of the zone in which most events take place."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from litestar import Controller, Request, Response, get

from domain.access import Permission
from domain.inventory import event_remaining
from models import attention, sales, stock
from models.sales import Taken, Takings
from web import words
from web.admin import access, charts, feed, selling, stream
from web.admin.charts import Capacity
from web.admin.selling import Figure
from web.admin.stream import LIVE, POLLED, Sight
from web.live import Part, Seen

REGIONS = {
    "day": "admin/today/_day.html",
    "greeting": "admin/today/_greeting.html",
    "figures": "admin/live/_figures.html",
    "attention": "admin/live/_attention.html",
    "chart": "admin/live/_chart.html",
    "chart-table": "admin/live/_table.html",
    "feed": "admin/live/_feed.html",
    "capacity": "admin/live/_capacity.html",
}


class TodayController(Controller):
    path = "/home"
    opt = access.requires(Permission.SEE_SALES)

    @get()
    async def show(self, request: Request) -> Response[Any]:
        may_edit = access.me(request).may(Permission.EDIT_EVENTS)
        if not (await sales.house())["events"]:
            return access.page(request, "admin/today/empty.html", section="home", may_edit=may_edit)
        values = await Today(stream.sight(request)).values(anew=True)
        return access.page(request, "admin/today/index.html", section="home", may_edit=may_edit, **values)

    @get("/live", opt=LIVE)
    async def live(self, request: Request) -> Response[Any]:
        today = Today(stream.sight(request))
        return stream.answer(request, ("desk", "today", today.sight), today.look, also=today.sight.permissions)

    @get("/now", opt=POLLED)
    async def look_again(self, request: Request) -> Response[Any]:
        """What an open page asks every few seconds while its stream is away."""
        return stream.polled(REGIONS, await Today(stream.sight(request)).values(anew=True))


@dataclass(slots=True)
class Today:
    """What everybody with the same sight is shown."""

    sight: Sight
    _takings: Takings = field(default_factory=Takings)

    async def look(self, changed: set[Part] | None) -> dict[str, Seen]:
        values = await self.values(anew=changed is None)
        on_hold = values["on_hold"]
        next_end = on_hold["next_end"] and (on_hold["next_end"] - on_hold["now"]).total_seconds()
        return stream.parts(REGIONS, values, now=values["now"], changes_in=next_end)

    async def values(self, *, anew: bool) -> dict[str, Any]:
        house, on_hold = await sales.house(), await sales.on_hold()
        now, zone, currency = house["now"], house["timezone"], house["currency"]
        taken = await self._takings.look(anew=anew)
        on_sale = await sales.on_sale()
        visits, refunds = await sales.visits(), await sales.refunds()
        return {
            "now": now,
            "timezone": zone,
            "on_hold": on_hold,
            "greeting": greeting(now, zone),
            "figures": _figures(house, on_hold, on_sale, taken),
            "sales": selling.last_days(taken.sold, now, zone, currency, in_money=True),
            "by": None,
            "lines": feed.lines(visits, refunds, now=now, names=self.sight.orders, titles=True),
            "capacity_title": "On sale now",
            "bars": await _bars(on_sale),
            "more_events": _total(on_sale) - len(on_sale),
            "attention": await attention.count() if self.sight.payments else 0,
            "of_event": False,
        }


def greeting(now: datetime, timezone: str) -> str:
    hour = now.astimezone(words.zone(timezone)).hour
    if 5 <= hour < 12:
        return "Good morning"
    return "Good afternoon" if 12 <= hour < 18 else "Good evening"


def _figures(house: Any, on_hold: Any, on_sale: Sequence[Any], taken: Taken) -> list[Figure]:
    today, yesterday = selling.today_and_yesterday(taken.sold, house["now"], house["timezone"])
    currency = house["currency"]
    return [
        Figure(
            "Sales today",
            selling.amounts(today.money, currency),
            f"{selling.amounts(yesterday.money, currency)} yesterday",
        ),
        Figure("Tickets today", f"{today.tickets:,}", words.plural(today.orders, "order")),
        Figure("On hold now", f"{on_hold['tickets']:,}", selling.people(on_hold["people"])),
        Figure("On sale", f"{_total(on_sale):,}", _waiting(house["drafts"])),
    ]


async def _bars(on_sale: Sequence[Any]) -> list[Capacity]:
    shelves = await stock.look([row["id"] for row in on_sale])
    bars = []
    for row in on_sale:
        if shelf := shelves.get(row["id"]):
            of = shelf.stock
            free = f"{max(0, event_remaining(of)):,} free"
            href = f"/admin/events/{of.id}"
            bars.append(charts.capacity(row["title"], sold=of.sold, held=of.held, of=of.capacity, free=free, href=href))
    return bars


def _total(on_sale: Sequence[Any]) -> int:
    return on_sale[0]["total"] if on_sale else 0


def _waiting(drafts: int) -> str:
    return f"{words.plural(drafts, 'draft')} waiting" if drafts else "no draft waiting"
