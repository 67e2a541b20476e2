"""The screen of tickets and capacity: all that it shows, and the numbers on it that change by themselves."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from litestar import Request, Response

from domain.access import Permission
from models import ticket_desk
from web import rendering, words
from web.admin import access, event_page, readiness, ticket_rows, ticket_type_form
from web.admin.ticket_type_form import Terms
from web.availability import changes_in
from web.live import Seen

Screen = dict[str, Any]


async def numbers(event_id: UUID) -> Screen:
    """What changes while the page is open, the same for everybody who may see sales."""
    event = await event_page.find(event_id)
    shelf, types = event["shelf"], await ticket_desk.types(event_id)
    rows = ticket_rows.rows(types, shelf, event)
    return {"event": event, "rows": rows, "meter": ticket_rows.meter(shelf), "sees_sales": True, "shelf": shelf}


async def look_for_all(event_id: UUID, _: set[UUID] | None) -> dict[UUID, Seen]:
    """One push: only numbers and why. A form that somebody is filling in is never touched."""
    found = await numbers(event_id)
    shelf = found["shelf"]
    body = rendering.render("admin/tickets/now.swap.html", **found)
    return {event_id: Seen(body, shelf.now.timestamp(), changes_in(shelf))}


async def look(request: Request, event_id: UUID) -> Screen:
    """All that the screen is made of."""
    event = await event_page.find(event_id)
    shelf, types = event["shelf"], await ticket_desk.types(event_id)
    return {
        **event_page.frame(request, event, "tickets"),
        "terms": Terms(event["currency"], event["timezone"], event["total_capacity"]),
        "shelf": shelf,
        "rows": ticket_rows.rows(types, shelf, event),
        "by_id": {row["id"]: row for row in types},
        "has": {row["id"] for row in types}.__contains__,
        "meter": ticket_rows.meter(shelf),
        "checklist": await readiness.checklist(event),
        "capacity": capacity_form(event["total_capacity"]),
        "forms": {},
        "new": None,
        "problems": {},
        "saved": "",
        "gone": "",
        "zone": words.zone_name(event["now"], event["timezone"]),
        "sees_sales": access.me(request).may(Permission.SEE_SALES),
    }


def open_row(screen: Screen, which: str) -> None:
    """One row as a form, or an empty one for a new type."""
    type_id = read_uuid(which)
    if which == "new":
        screen["new"] = ticket_type_form.blank(screen["terms"])
    elif type_id in screen["by_id"]:
        screen["forms"][type_id] = ticket_type_form.of_row(screen["by_id"][type_id], screen["terms"])


def page(request: Request, screen: Mapping[str, Any], status_code: int = 200) -> Response[Any]:
    return access.page(request, "admin/tickets/show.html", section="events", status_code=status_code, **screen)


async def who_made(kind: str, subject: UUID, name: str, now: str, *, called: str = "it", timezone: str = "UTC") -> str:
    """Ana made it €25.00 at 20:31."""
    change = await ticket_desk.last_change(kind, subject, name)
    if change is None:
        return f"Somebody made {called} {now} meanwhile."
    return f"{change.by} made {called} {now} at {words.clock(change.at, timezone)}."


def read_uuid(text: object) -> UUID | None:
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None


def capacity_form(now: int, **values: Any) -> dict[str, Any]:
    """What templates/admin/tickets/_capacity.html is given."""
    return {"typed": str(now), "was": now, "error": "", "theirs": None, "saved": False, **values}
