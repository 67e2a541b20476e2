"""Audit: who did what, from what to what, written in the transaction that did it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from models import database

WRITE = """
    INSERT INTO audit_entry (actor_id, actor_name, action, subject_kind, subject_id, before, after)
    VALUES ($1, $2, $3, $4, $5, $6::text::jsonb, $7::text::jsonb)
"""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is doing it. `id` is None for the house itself."""

    id: UUID | None
    name: str


SYSTEM = Actor(None, "Foyer")


async def write(
    actor: Actor,
    action: str,
    subject_kind: str,
    subject_id: UUID | str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Inside the running transaction: the change and its entry stand or fall together."""
    was, became = (json.dumps(side or {}, default=str, ensure_ascii=False) for side in (before, after))
    await database.execute(WRITE, actor.id, actor.name, action, subject_kind, str(subject_id), was, became)
