"""The frame around everything about one event: its name and state, its buttons, its tabs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Request, Response

from domain.access import Permission
from domain.errors import EventNotFound
from domain.standing import Standing
from models import event_desk, stock
from models.ids import new_id
from models.stock import Shelf
from web.admin import access
from web.availability import standing_of


@dataclass(frozen=True, slots=True)
class Tab:
    key: str
    path: str
    words: str
    permission: Permission


TABS = (
    Tab("live", "", "Live", Permission.SEE_SALES),
    Tab("details", "/details", "Details", Permission.SEE_EVENTS),
    Tab("tickets", "/tickets", "Tickets and capacity", Permission.SEE_EVENTS),
    Tab("orders", "/orders", "Orders", Permission.SEE_ORDERS),
)


@dataclass(frozen=True, slots=True)
class State:
    """What an event is, in a word."""

    words: str
    tone: str | None
    icon: str


DRAFT = State("Draft", None, "pencil")
ENDED = State("Ended", None, "archive")
OFF_SALE = State("Not on sale", "warn", "triangle-alert")
NOT_YET = State("Opens later", "info", "clock")
SALES_ENDED = State("Sales ended", None, "lock")
SOLD_OUT = State("Sold out", "info", "ticket-check")
TOO_FEW = State("Too few left", "info", "ticket-check")
ALL_HELD = State("All held", "info", "timer")
ON_SALE = State("On sale", "ok", "check")

OF_STANDING = {
    Standing.DRAFT: DRAFT,
    Standing.OVER: ENDED,
    Standing.OFF: OFF_SALE,
    Standing.NOT_YET: NOT_YET,
    Standing.ENDED: SALES_ENDED,
    Standing.EVENT_FULL: SOLD_OUT,
    Standing.TOO_FEW: TOO_FEW,
    Standing.HELD: ALL_HELD,
    Standing.ON_SALE: ON_SALE,
}


async def find(event_id: UUID) -> dict[str, Any]:
    """The event, drafts and past ones too, with its `shelf`. Raises EventNotFound."""
    event = await event_desk.event(event_id)
    if event is None:
        raise EventNotFound
    return {**event, "shelf": await shelf(event_id)}


async def shelf(event_id: UUID) -> Shelf:
    """What of it is for sale. Raises EventNotFound also when the draft was removed a moment ago."""
    found = (await stock.look([event_id])).get(event_id)
    if found is None:
        raise EventNotFound
    return found


def page(request: Request, event: Any, template: str, *, tab: str, **values: Any) -> Response[str]:
    """A page about one event; its template extends admin/events/base.html and fills the block `section`."""
    return access.page(request, template, section="events", **frame(request, event, tab), **values)


def frame(request: Request, event: Any, tab: str) -> dict[str, Any]:
    me = access.me(request)
    return {
        "event": event,
        "state": state(event),
        "tab": tab,
        "tabs": [each for each in TABS if me.may(each.permission)],
        "address": f"/admin/events/{event['id']}",
        "copy_key": new_id(),
        "may_edit": me.may(Permission.EDIT_EVENTS),
    }


def state(event: Mapping[str, Any]) -> State:
    """`event` as find gives it."""
    return state_of(event["shelf"])


def state_of(shelf: Shelf) -> State:
    """By the rule of the shop: the desk never says another thing than buyers read."""
    return OF_STANDING[standing_of(shelf)]
