"""A field of an event as it stands on its page: what is in it, what is said about it, and who else has been at it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain import local_time
from domain.events import EventStatus
from models import event_desk
from web import words
from web.admin import event_form
from web.admin.access import Me
from web.admin.event_form import Field

SAVED = "Saved"
EXCERPT = 200  # characters of what somebody else wrote
# What people with a ticket would want to know.
MATTERS = frozenset({"start_date", "end_date", "timezone", "location", "address", "city"})


@dataclass(frozen=True, slots=True)
class Theirs:
    """What somebody else made of a field meanwhile, in a sentence; `whose` names it on a button."""

    said: str
    whose: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A field as it stands on the page. `typed` is in its control; `was` goes along with it when it is sent, and with a
    time the `zone` of the clocks that it was typed on."""

    field: Field
    typed: str
    was: str
    zone: str
    said: str = ""
    note: str = ""
    error: str = ""
    theirs: Theirs | None = None


def shown(
    field: Field,
    event: Mapping[str, Any],
    *,
    typed: str | None = None,
    was: str | None = None,
    zone: str | None = None,
    said: str = "",
    error: str = "",
    theirs: Theirs | None = None,
) -> Shown:
    stored = event[field.name]
    return Shown(
        field=field,
        typed=event_form.in_control(field, stored, event["timezone"]) if typed is None else typed,
        was=event_form.mark(stored) if was is None else was,
        zone=event["timezone"] if zone is None else zone,
        said=said,
        note=_untold(field, event) if said == SAVED else _note(field, event),
        error=error,
        theirs=theirs,
    )


def _note(field: Field, event: Mapping[str, Any]) -> str:
    """What an organiser should know of a time that is as it is."""
    moment = event[field.name] if field.kind == "moment" else None
    if moment is None:
        return ""
    if local_time.comes_twice(moment, words.zone(event["timezone"])):
        return f"Clocks show this hour twice that night. This is {words.zone_name(moment, event['timezone'])}."
    is_draft = event["status"] == EventStatus.DRAFT
    return "This is in the past." if field.name == "start_date" and is_draft and moment <= event["now"] else ""


def _untold(field: Field, event: Mapping[str, Any]) -> str:
    if field.name in MATTERS and event["orders"]:
        return "People who have tickets are not told by us: write to them."
    return _note(field, event)


async def theirs(field: Field, event: Mapping[str, Any], me: Me, *, zone: str) -> Theirs:
    """Who was quicker, as the audit knows: with the field, or with the zone in which its time was typed."""
    if field.kind == "moment" and zone != event["timezone"]:
        stored = f"This is “{_excerpt(field, event)}” there now." if event[field.name] else "This is empty now."
        return await _theirs("timezone", "the time zone", f"to “{event['timezone']}”. {stored}", event, me)
    became = f"to “{_excerpt(field, event)}”." if event[field.name] else "and left it empty."
    return await _theirs(field.name, "this", became, event, me)


async def _theirs(name: str, called: str, became: str, event: Mapping[str, Any], me: Me) -> Theirs:
    change = await event_desk.last_change(event["id"], name)
    moment, timezone = change["created_at"] if change else event["updated_at"], event["timezone"]
    at = f"at {words.clock(moment, timezone)} {words.zone_name(moment, timezone)}"
    if change and change["actor_id"] == me.admin_id:
        return Theirs(f"You changed {called} {at} in another window {became}", "the other")
    return Theirs(f"{change['actor_name'] if change else 'Somebody'} changed {called} {at} {became}", "theirs")


def _excerpt(field: Field, event: Mapping[str, Any]) -> str:
    stored = event[field.name]
    if field.kind == "moment":
        return event_form.on_clocks(stored, event["timezone"])
    return stored if len(stored) <= EXCERPT else stored[:EXCERPT].rstrip() + "…"
