"""The frame around everything about one event: its name and state, its buttons, its tabs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Request, Response

from domain.access import Permission
from domain.errors import EventNotFound
from domain.events import EventStatus, is_over
from models import event_desk, stock
from models.ids import new_id
from models.stock import Shelf
from web.admin import access


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
SOLD_OUT = State("Sold out", "info", "ticket-check")
ON_SALE = State("On sale", "ok", "check")


async def find(event_id: UUID) -> Any:
    """The event, drafts and past ones too. Raises EventNotFound."""
    event = await event_desk.event(event_id)
    if event is None:
        raise EventNotFound
    return event


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
    """`event` has its times, counters and `now`."""
    if event["status"] == EventStatus.DRAFT:
        return DRAFT
    if is_over(start_date=event["start_date"], end_date=event["end_date"], now=event["now"]):
        return ENDED
    return ON_SALE if event["sold"] < event["total_capacity"] else SOLD_OUT
