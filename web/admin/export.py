"""Orders as a file for a spreadsheet: what the list shows, one line for each order or for each ticket.

Read and sent in chunks: no transaction is kept open and memory stays flat, however many there are. When it cannot go
on, its last line says so and the connection is cut, so that no short file passes for a whole one.
"""

import csv
import io
import re
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from litestar import Controller, Request, Response, post
from litestar.response import Stream

from domain import money
from domain.access import Permission
from models import order_desk
from models.order_desk import Wanted
from services import order_exports
from web import words
from web.admin import access, order_search
from web.rendering import redirect

BOM = "\ufeff"  # without it Excel reads UTF-8 as something else
# What a spreadsheet takes for a formula: at the beginning, and after what some take for the end of a cell.
FORMULA = re.compile(r"(?:^|(?<=[;\t\r\n]))(?=[^\S\t\r\n]*[=+\-@＝＋－＠])|^(?=[\t\r\n])")
STOPPED = "This file is not complete: the export stopped here. Please export again."

ORDER_COLUMNS = (
    "Order", "Ordered at (UTC)", "Ordered at (local)", "Time zone", "Status", "Refunded", "Disputed", "Buyer", "Email",
    "Event", "Event starts (local)", "Tickets", "Ticket types", "Total", "Refunded amount", "Currency", "Paid by",
    "Payment reference",
)  # fmt: skip
TICKET_COLUMNS = (
    "Ticket", "Admits", "Holder", "Ticket type", "Price", "Currency", "Order", "Ordered at (UTC)", "Ordered at (local)",
    "Time zone", "Buyer", "Email", "Event", "Event starts (local)",
)  # fmt: skip

Line = tuple[str, ...]


class ExportController(Controller):
    path = "/orders/exports"
    opt = access.requires(Permission.EXPORT_ORDERS)

    @post(status_code=200, opt={"no_compression": True})
    async def export(self, request: Request) -> Response[Any]:
        """A form and not a link: it is written down who took what, and no other site can make a browser take it."""
        form = await request.form()
        search = order_search.read(form)
        tickets = form.get("rows") == "tickets"
        if search.errors:
            return redirect(request, search.address("/admin/orders"))
        event = await order_desk.event(search.event) if search.event else None
        timezone = event["timezone"] if event else await order_desk.zone()
        wanted = search.wanted(timezone)
        await order_exports.record(
            actor=access.actor(request),
            rows="tickets" if tickets else "orders",
            filters=search.query(),
            count=await order_desk.count(wanted),
        )
        name = file_name("tickets" if tickets else "orders", event, datetime.now(UTC), timezone)
        return Stream(
            file(wanted, TICKET_COLUMNS if tickets else ORDER_COLUMNS, ticket_lines if tickets else order_lines),
            media_type="text/csv",
            headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
        )


def file_name(kind: str, event: Any, now: datetime, timezone: str) -> str:
    """orders-winter-light-2026-11-29.csv: of which event, and of which day there."""
    day = now.astimezone(words.zone(timezone)).date().isoformat()
    return "-".join([kind, *([event["slug"]] if event else []), day]) + ".csv"


async def file(
    wanted: Wanted, columns: Line, lines: Callable[[list[Any]], AsyncIterator[Line]]
) -> AsyncIterator[bytes]:
    yield (BOM + written([columns])).encode()
    try:
        async for orders in order_desk.chunks(wanted):
            yield written([line async for line in lines(orders)]).encode()
    except Exception:
        yield written([(STOPPED,)]).encode()
        raise


async def order_lines(orders: list[Any]) -> AsyncIterator[Line]:
    bought = await order_desk.lines([order["id"] for order in orders])
    for order in orders:
        yield (
            order["number"],
            *times(order),
            order_search.STATUSES[order["status"]].partition(",")[0],
            {"none": "", "part": "in part", "whole": "whole"}[order["refunded"]],
            "yes" if order["disputed"] else "",
            order["buyer_name"],
            order["buyer_email"],
            order["title"],
            words.iso(order["start_date"], order["timezone"]),
            str(order["total_quantity"]),
            bought.get(order["id"], ""),
            money.major(order["total_amount"], order["currency"]),
            money.major(order["gone_back"], order["currency"]),
            order["currency"],
            order["payment_provider"],
            order["payment_reference"],
        )


async def ticket_lines(orders: list[Any]) -> AsyncIterator[Line]:
    """An order whose tickets are still on their way has no line yet."""
    tickets = await order_desk.tickets([order["id"] for order in orders])
    for order in orders:
        for ticket in tickets.get(order["id"], []):
            yield (
                ticket["number"],
                "yes" if ticket["admits"] else "no",
                ticket["holder_name"],
                ticket["name"],
                money.major(ticket["unit_price"], order["currency"]),
                order["currency"],
                order["number"],
                *times(order),
                order["buyer_name"],
                order["buyer_email"],
                order["title"],
                words.iso(order["start_date"], order["timezone"]),
            )


def times(order: Any) -> Line:
    """When it was ordered: in UTC for sorting, and as the clocks showed where the event is."""
    moment, timezone = order["created_at"], order["timezone"]
    return words.iso(moment, "UTC"), words.iso(moment, timezone), timezone


def written(lines: Iterable[Line]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows([defused(cell) for cell in line] for line in lines)
    return out.getvalue()


def defused(cell: str) -> str:
    """With an apostrophe before what a spreadsheet would calculate: buyers name themselves."""
    return FORMULA.sub("'", cell)
