"""The audit page: who changed what, when, from what to what; of everything, of one event or of one order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Controller, Request, Response, get

from domain.access import Permission
from models import audit, event_desk, order_desk
from models.audit import Wanted
from services.audit import words_of
from web import words
from web.admin import access, audit_words
from web.admin.audit_words import Line

SHOWN = 50
LONGEST_SEARCH, MOST_WORDS = 200, 12
# What sentences need and searches do not.
LITTLE = frozenset("a an and for from in of on the to with was is".split())
HOUSE = "foyer"
KINDS: dict[str, tuple[str, Sequence[str]]] = {
    "events": ("Events and tickets", ("event", "ticket_type")),
    "orders": ("Orders", ("order", "orders", "ticket")),
    "money": ("Payments and refunds", "payment refund dispute discrepancy comparison notice outbox".split()),
    "people": ("People and sign-ins", ("admin", "sign_in")),
}


@dataclass(frozen=True, slots=True)
class Search:
    """What was asked for, as it was typed."""

    q: str = ""
    person: str = ""
    kind: str = ""
    since: str = ""
    until: str = ""
    event: UUID | None = None
    order: UUID | None = None
    before: int | None = None

    @property
    def is_active(self) -> bool:
        """Whether anything but the book was chosen."""
        return any((self.q, self.person, self.kind, self.since, self.until))

    def address(self, **changed: Any) -> str:
        asked = replace(self, before=None)
        asked = replace(asked, **changed)
        fields = {name: getattr(asked, name) for name in Search.__dataclass_fields__}
        query = urlencode({name: value for name, value in fields.items() if value})
        return f"/admin/audit?{query}" if query else "/admin/audit"


class AuditController(Controller):
    path = "/audit"
    opt = access.requires(Permission.SEE_AUDIT)

    @get()
    async def show(self, request: Request) -> Response[Any]:
        search = read(request.query_params)
        zone = await _zone(search)
        rows = await audit.entries(await _wanted(search, zone), before=search.before, limit=SHOWN + 1)
        lines = [audit_words.line(row) for row in rows[:SHOWN]]
        return access.page(
            request,
            "admin/audit/index.html",
            section="audit",
            search=search,
            days=_by_day(lines, zone),
            zone=zone,
            older=lines[-1].id if len(rows) > SHOWN else None,
            about=await _about(search),
            people=await audit.people(),
            kinds=KINDS,
        )


def read(query: Mapping[str, Any]) -> Search:
    """Whatever cannot be understood was not asked for."""
    return Search(
        q=" ".join(_text(query, "q").replace("\0", " ").split())[:LONGEST_SEARCH],
        person=_text(query, "person"),
        kind=kind if (kind := _text(query, "kind")) in KINDS else "",
        since=_text(query, "since") if _day(_text(query, "since")) else "",
        until=_text(query, "until") if _day(_text(query, "until")) else "",
        event=_uuid(_text(query, "event")),
        order=_uuid(_text(query, "order")),
        before=_number(_text(query, "before")),
    )


async def _zone(search: Search) -> str:
    """Of one event, its own; of everything, that of where most events take place, as in the list of orders."""
    event = await event_desk.event(search.event) if search.event else None
    return event["timezone"] if event else await order_desk.zone()


async def _wanted(search: Search, zone: str) -> Wanted:
    asked = tuple(word for word in words_of(search.q) if word not in LITTLE)[:MOST_WORDS]
    return Wanted(
        words=asked,
        titled=await _titled(asked) if asked else (),
        actor_id=_uuid(search.person),
        by_house=search.person == HOUSE,
        kinds=tuple(KINDS[search.kind][1]) if search.kind else (),
        since=_midnight(search.since, zone),
        until=_midnight(search.until, zone, days=1),
        event_id=search.event,
        order_id=search.order,
    )


async def _titled(asked: tuple[str, ...]) -> tuple[UUID, ...]:
    """Events that are called so now, whatever they were called when something was done."""
    found = []
    for row in await audit.titles():
        title = words_of(row["title"])
        if all(any(word.startswith(each) for word in title) for each in asked):
            found.append(row["id"])
    return tuple(found)


async def _about(search: Search) -> audit_words.Subject | None:
    """The one thing whose history this is."""
    if search.event and (event := await event_desk.event(search.event)):
        return audit_words.Subject(event["title"], f"/admin/events/{search.event}")
    if search.order and (number := await audit.order_number(search.order)):
        return audit_words.Subject(f"order {number}", f"/admin/orders/{search.order}")
    return None


def _by_day(lines: list[Line], zone: str) -> list[tuple[str, list[Line]]]:
    days = groupby(lines, key=lambda each: words.short_day(each.at, zone))
    return [(day, list(group)) for day, group in days]


def _text(query: Mapping[str, Any], name: str) -> str:
    value = query.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 2000 <= day.year < 3000 else None


def _midnight(text: str, zone: str, *, days: int = 0) -> datetime | None:
    day = _day(text)
    return datetime.combine(day + timedelta(days=days), time(), words.zone(zone)) if day else None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None
