"""The audit in words a person reads: “Mira set the capacity of Winter Light from 60 to 80”."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.deeds import PHRASES
from web import words
from web.admin import roles
from web.admin.refund_form import REASONS

LABELS = {
    "total_capacity": "capacity",
    "start_date": "start",
    "end_date": "end",
    "timezone": "time zone",
    "location": "place",
    "is_enabled": "on sale",
    "sales_start": "start of sales",
    "sales_end": "end of sales",
    "min_per_order": "fewest per order",
    "max_per_order": "most per order",
    "buyer_name": "name",
    "buyer_email": "email",
    "holder_name": "name",
    "seats_return": "seats go back on sale",
    "to": "sent to",
    "left": "codes left",
    "last_error": "problem",
}
MONEY = {"price", "amount", "total_amount", "unit_price", "total"}
MOMENTS = {"start_date", "end_date", "sales_start", "sales_end"}
TEXTS = set("title category summary description location address city name buyer_name holder_name note slug".split())
FLAGS = {"is_enabled", "disabled", "seats_return"}
NOTHING = {"allocation": "no limit", "end_date": "none", "sales_start": "at once", "sales_end": "until the event"}
# What only machines need: keys of other rows, names of files.
HIDDEN = {"event", "refund", "cover", "cover_seed", "currency_of", "from", "request_key", "disabled"}
UUID_LIKE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SHORT, LONGEST = 60, 400  # characters that fit into a sentence, and of a text that is shown


@dataclass(frozen=True, slots=True)
class Change:
    """One field. `was` is None for what only came to be, `now` for what only was."""

    label: str
    was: str | None
    now: str | None


@dataclass(frozen=True, slots=True)
class Subject:
    words: str
    href: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One entry as it is read: who, the phrase around the subject, and the changes that its sentence does not tell."""

    id: int
    at: datetime
    who: str
    phrase: tuple[str, str]
    subject: Subject | None
    told: Change | None
    changes: list[Change]
    context: Subject | None


def line(row: Any) -> Line:
    before, after = json.loads(row["before"]), json.loads(row["after"])
    changes = _changes(row, before, after)
    phrase = PHRASES.get(row["action"], f"{row['action']}: {{}}")
    told = changes[0] if len(changes) == 1 and _fits(changes[0]) else None
    what = changes[0].label if len(changes) == 1 else "details"
    start, place, end = phrase.replace("{what}", what).partition("{}")
    return Line(
        id=row["id"],
        at=row["created_at"],
        who=row["actor_name"],
        phrase=(start.strip(), end.strip()),
        subject=_subject(row, before, after) if place else None,
        told=told,
        changes=[] if told else changes,
        context=_context(row),
    )


def _fits(change: Change) -> bool:
    return change.was is not None and change.now is not None and len(change.was) + len(change.now) <= SHORT


def _changes(row: Any, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    changes = []
    for name in dict.fromkeys([*before, *after]):
        if (
            name in HIDDEN
            or before.get(name, ...) == after.get(name, ...)
            or _is_key(before.get(name), after.get(name))
        ):
            continue
        said = _speaker(name, row, {**before, **after})
        was, now = _excerpts(before.get(name), after.get(name))
        was = said(was) if name in before else None
        now = said(now) if name in after else None
        changes.append(Change(LABELS.get(name, name.replace("_", " ")), was, now))
    return [change for change in changes if change.was or change.now]


def _excerpts(was: Any, now: Any) -> tuple[Any, Any]:
    """Of two long texts, what stands around the first difference: that is what somebody changed."""
    if not (isinstance(was, str) and isinstance(now, str)) or max(len(was), len(now)) <= LONGEST:
        return was, now
    differs = (place for place, (a, b) in enumerate(zip(was, now, strict=False)) if a != b)
    same = next(differs, min(len(was), len(now)))
    begin = max(0, same - LONGEST // 4)
    begin = was.rfind(" ", 0, begin) + 1 if begin else 0  # at a word
    return tuple(f"…{text[begin:]}" if begin else text for text in (was, now))  # type: ignore[return-value]


def _is_key(*values: Any) -> bool:
    """Only keys of other rows, or nothing at all: they say nothing to a person."""
    flat = [each for value in values for each in (value if isinstance(value, list) else [value]) if each is not None]
    return all(isinstance(each, str) and UUID_LIKE.fullmatch(each) for each in flat)


def _speaker(name: str, row: Any, facts: Mapping[str, Any]) -> Callable[[Any], str]:
    """How the values of this field are said."""

    def say(value: Any) -> str:
        if value is None or value == "":
            return NOTHING.get(name, "nothing")
        if name in MONEY and isinstance(value, int):
            currency = facts.get("currency_of") or facts.get("currency") or row["currency"] or "EUR"
            return words.money(value, currency)
        if name in MOMENTS:
            return _moment(value, row["timezone"] or "UTC")
        if name == "role":
            return roles.name_of(value)
        if name == "reason":
            return REASONS.get(value, str(value).lower().replace("_", " "))
        if isinstance(value, bool) or name in FLAGS:
            return "yes" if value else "no"
        return _text(name, value)

    return say


def _moment(value: str, timezone: str) -> str:
    moment = datetime.fromisoformat(value)
    return f"{words.short_day(moment, timezone)}, {words.clock(moment, timezone)} {words.zone_name(moment, timezone)}"


def _text(name: str, value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {each}" for key, each in value.items())
    text = str(value)
    if len(text) > LONGEST:
        text = f"{text[:LONGEST].rstrip()}…"
    if name in TEXTS:
        return f"“{text}”"
    return text.lower().replace("_", " ") if text.isupper() and name in ("status", "problem") else text


# ---------------------------------------------------------------- what it was done to


def _subject(row: Any, before: Mapping[str, Any], after: Mapping[str, Any]) -> Subject:
    kind = row["subject_kind"]
    if kind in ("event", "orders") and row["title"]:
        return Subject(row["title"], _event(row))
    if kind == "event" and (title := before.get("title") or after.get("title")):
        return Subject(title)  # a draft that was removed since
    if kind == "ticket_type":
        name = row["type_name"] or after.get("name") or before.get("name") or "a ticket type"
        return Subject(f"{name} of {row['title']}", f"{_event(row)}/tickets") if row["title"] else Subject(name)
    if row["number"]:
        return Subject(f"order {row['number']}", f"/admin/orders/{row['order_id']}")
    if kind == "admin":
        return Subject(row["person"] or "somebody")
    return Subject(OTHERS.get(kind, kind.replace("_", " ")))


OTHERS = {
    "event": "an event",
    "order": "an order",
    "orders": "all events",
    "payment": "a payment",
    "refund": "a refund",
    "dispute": "a dispute",
    "discrepancy": "a difference in the books",
    "comparison": "the books",
    "notice": "a notice from the provider",
    "outbox": "something that had failed",
    "sign_in": "nobody we know",
}


def _context(row: Any) -> Subject | None:
    """The event of an order, which the sentence does not name."""
    if row["title"] and row["subject_kind"] not in ("event", "orders", "ticket_type"):
        return Subject(row["title"], _event(row))
    return None


def _event(row: Any) -> str:
    return f"/admin/events/{row['event_id']}"
