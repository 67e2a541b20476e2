"""Audit: who did what, from what to what, written in the transaction that did it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.deeds import PHRASES
from models import audit, database
from services.words import fold

WRITE = """
    INSERT INTO audit_entry (actor_id, actor_name, action, subject_kind, subject_id, before, after, event_id, order_id,
                             words)
    VALUES ($1, $2, $3, $4, $5, $6::text::jsonb, $7::text::jsonb, $8, $9, $10)
"""

WORD = re.compile(r"[^\W_]+")
# What one entry is found by: of a novel only the beginning.
MOST_WORDS, LONGEST_WORD = 1_000, 60


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is doing it. `id` is None for the house itself."""

    id: UUID | None
    name: str


SYSTEM = Actor(None, "Foyer")
# Somebody at the door of whom nothing is known.
SOMEBODY = Actor(None, "Somebody")


async def write(
    actor: Actor,
    action: str,
    subject_kind: str,
    subject_id: UUID | str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Inside the running transaction: the change and its entry stand or fall together.

    A thing that is gone by then says in its facts to which event it belonged: `event`.
    """
    was, became = before or {}, after or {}
    event_id, order_id, names = await _place(subject_kind, subject_id, {**was, **became})
    phrase = PHRASES.get(action, "")  # an entry is found by what is read, too: “put on sale”
    words = words_of(actor.name, action, phrase, subject_kind, names, *_said(was), *_said(became))
    facts = (json.dumps(side, default=str, ensure_ascii=False) for side in (was, became))
    about = (subject_kind, str(subject_id), *facts, event_id, order_id)
    await database.execute(WRITE, actor.id, actor.name, action, *about, " ".join(words[:MOST_WORDS]))


def words_of(*texts: str) -> list[str]:
    """The words of a text as entries are found by them, each once."""
    return list(dict.fromkeys(word[:LONGEST_WORD] for text in texts for word in WORD.findall(fold(text))))


async def _place(kind: str, subject_id: UUID | str, facts: Mapping[str, Any]) -> tuple[UUID | None, UUID | None, str]:
    key = _uuid(subject_id)
    found = await audit.place(kind, key) if key else None
    if found is None and (event_id := _uuid(facts.get("event"))):
        found = await audit.place("event", event_id)
    return (found["event_id"], found["order_id"], found["names"]) if found else (None, None, "")


def _said(side: Any) -> list[str]:
    """The values of one side, however they are nested."""
    if isinstance(side, Mapping):
        return [text for value in side.values() for text in _said(value)]
    if isinstance(side, list | tuple | set):
        return [text for value in side for text in _said(value)]
    return [] if side is None else [str(side)]


def _uuid(value: Any) -> UUID | None:
    try:
        return value if isinstance(value, UUID) else UUID(str(value))
    except ValueError:
        return None
