"""The page of a new event, as it was typed: what is kept, and what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

from models import event_desk
from models.ids import new_id
from web.admin import event_form
from web.admin.event_form import FIELDS

ASKED = ("title", "start_date", "end_date", "timezone", "location", "city", "description", "currency")


@dataclass(slots=True)
class NewEvent:
    """`key` is the page's."""

    key: UUID
    typed: dict[str, str]
    wish: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    guess_zone: bool = False  # nobody has said one yet: the browser's own is a better guess than UTC

    @property
    def event_id(self) -> UUID:
        """One wish of one page makes one event, sent however often; another wish of the same page makes another."""
        return uuid5(self.key, repr(sorted(self.wish.items())))


async def blank() -> NewEvent:
    """Zone and currency are those of the event that was made last."""
    last = await event_desk.newest()
    like = (
        {"timezone": last["timezone"], "currency": last["currency"]} if last else {"timezone": "UTC", "currency": "EUR"}
    )
    return NewEvent(new_id(), dict.fromkeys(ASKED, "") | like, guess_zone=last is None)


def read(form: Mapping[str, Any]) -> NewEvent:
    new = NewEvent(read_key(form), {name: event_form.text(form, name) for name in ASKED})
    timezone = _read(new, "timezone", "UTC") or "UTC"
    for name in ASKED:
        if name != "timezone":
            _read(new, name, timezone)
    start, end = new.wish.get("start_date"), new.wish.get("end_date")
    if start and end and end < start:
        new.errors["end_date"] = event_form.end_before_start(start, timezone)
    new.errors = {name: new.errors[name] for name in ASKED if name in new.errors}
    return new


def _read(new: NewEvent, name: str, timezone: str) -> Any:
    try:
        new.wish[name] = event_form.read(FIELDS[name], new.typed[name], timezone)
    except ValueError as problem:
        new.errors[name] = str(problem)
    return new.wish.get(name)


def read_key(form: Mapping[str, Any]) -> UUID:
    try:
        return UUID(event_form.text(form, "key"))
    except ValueError:
        return new_id()
