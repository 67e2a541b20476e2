"""Total capacity X of an event: one number, saved where it stands (AC T1, T4)."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, post
from litestar.params import FromPath

from domain import allocations
from domain.access import Permission
from domain.errors import AllocationsExceedCapacity, CapacityTooSmall, Overtaken, Refusal
from models.stock import Shelf
from services import events
from web.admin import access, ticket_screen, typed
from web.admin.ticket_type_form import promised
from web.rendering import is_htmx, redirect


class CapacityController(Controller):
    path = "/events/{event_id:uuid}/tickets/capacity"
    opt = access.requires(Permission.EDIT_EVENTS)

    @post(status_code=200)
    async def save(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        sent = await request.form()
        if sent.get("keep"):
            return await _answer(request, event_id, 200)
        text, was = typed.text(sent, "total_capacity"), typed.whole_number(typed.text(sent, "was"))
        wanted = typed.whole_number(text)
        if wanted is None or wanted > allocations.MOST:
            error = "Use a whole number, 0 or more." if wanted is None else f"Use a number up to {allocations.MOST:,}."
            return await _answer(request, event_id, 422, typed=text, was=was, error=error)
        try:
            # A form that does not say what it had read replaces nobody's number.
            await events.set_capacity(event_id, was=-1 if was is None else was, to=wanted, actor=access.actor(request))
        except Overtaken as refusal:
            return await _answer(request, event_id, 409, typed=text, refusal=refusal)
        except (CapacityTooSmall, AllocationsExceedCapacity) as refusal:
            return await _answer(request, event_id, 422, typed=text, was=was, refusal=refusal)
        return await _answer(request, event_id, 200, saved=True)


async def _answer(
    request: Request,
    event_id: UUID,
    status_code: int,
    *,
    was: int | None = None,
    refusal: Refusal | None = None,
    **values: Any,
) -> Response[Any]:
    if status_code == 200 and not is_htmx(request):
        done = "?saved=capacity" if values.get("saved") else ""
        return redirect(request, f"/admin/events/{event_id}/tickets{done}")
    screen = await ticket_screen.look(request, event_id)
    if isinstance(refusal, Overtaken):
        # By now it has been read: saving once more replaces it.
        values |= {"theirs": refusal.theirs, "was": refusal.theirs, "error": await _overtaken(screen, refusal)}
    elif refusal:
        values["error"] = _too_small(refusal, screen["shelf"])
    if was is not None:
        values["was"] = was
    screen["capacity"] = ticket_screen.capacity_form(screen["event"]["total_capacity"], **values)
    if not is_htmx(request):
        return ticket_screen.page(request, screen, status_code)
    return access.fragment(request, "admin/tickets/capacity.swap.html", status_code=status_code, **screen)


async def _overtaken(screen: ticket_screen.Screen, refusal: Overtaken) -> str:
    event = screen["event"]
    now = f"{refusal.theirs:,}"
    said = await ticket_screen.who_made("event", event["id"], "total_capacity", now, timezone=event["timezone"])
    return f"{said} Save to replace it, or keep it."


def _too_small(refusal: Refusal, shelf: Shelf) -> str:
    """With the smallest number that would do."""
    allocated = allocations.allocated(t.allocation for t in shelf.stock.types.values())
    taken = shelf.stock.sold + shelf.stock.held
    if isinstance(refusal, AllocationsExceedCapacity):
        return _below_allocated(refusal.total)
    assert isinstance(refusal, CapacityTooSmall)
    if refusal.smallest == allocated > taken:
        return _below_allocated(allocated)
    said = promised(shelf.stock.sold, shelf.stock.held, refusal.smallest)
    return f"{said}, so capacity can’t go below {refusal.smallest:,}."


def _below_allocated(total: int) -> str:
    return f"Allocations add up to {total:,}, so capacity can’t go below {total:,}. Lower an allocation first."
