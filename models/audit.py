"""AuditEntry: who did what, from what to what. Written with the change, and never rewritten."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID as UUIDType

from piccolo.columns import JSONB, UUID, BigInt, Text, Timestamptz
from piccolo.table import Table

from models import database

# What belongs to which event and order, and the names that a search finds it by.
PLACES = {
    "event": "SELECT id AS event_id, NULL::uuid AS order_id, title AS names FROM event WHERE id = $1",
    "orders": "SELECT id AS event_id, NULL::uuid AS order_id, title AS names FROM event WHERE id = $1",
    "ticket_type": """
        SELECT e.id AS event_id, NULL::uuid AS order_id, concat_ws(' ', t.name, e.title) AS names
        FROM ticket_type AS t JOIN event AS e ON e.id = t.event_id WHERE t.id = $1""",
    "order": """
        SELECT e.id AS event_id, o.id AS order_id, concat_ws(' ', o.number, e.title) AS names
        FROM orders AS o JOIN event AS e ON e.id = o.event_id WHERE o.id = $1""",
    "ticket": """
        SELECT e.id AS event_id, o.id AS order_id, concat_ws(' ', t.number, o.number, e.title) AS names
        FROM ticket AS t JOIN orders AS o ON o.id = t.order_id JOIN event AS e ON e.id = o.event_id WHERE t.id = $1""",
    "payment": """
        SELECT e.id AS event_id, o.id AS order_id, concat_ws(' ', o.number, e.title, p.reference) AS names
        FROM payment AS p JOIN checkout AS c ON c.id = p.checkout_id JOIN event AS e ON e.id = c.event_id
        LEFT JOIN orders AS o ON o.checkout_id = c.id WHERE p.id = $1""",
    "refund": """
        SELECT e.id AS event_id, o.id AS order_id, concat_ws(' ', o.number, e.title, r.reference) AS names
        FROM refund AS r JOIN payment AS p ON p.id = r.payment_id JOIN checkout AS c ON c.id = p.checkout_id
        JOIN event AS e ON e.id = c.event_id LEFT JOIN orders AS o ON o.checkout_id = c.id WHERE r.id = $1""",
    "admin": """
        SELECT NULL::uuid AS event_id, NULL::uuid AS order_id, concat_ws(' ', name, email) AS names
        FROM admin WHERE id = $1""",
}

LEXEMES = "array_to_tsvector(string_to_array(a.words, ' '))"  # as the index has it, to the letter

# Chosen first, looked up after: the joins cost a page and not the book.
ENTRIES = """
    WITH chosen AS MATERIALIZED (SELECT a.* FROM audit_entry AS a WHERE {conditions} ORDER BY a.id DESC LIMIT {limit})
    SELECT c.*, e.title, e.currency, e.timezone, o.number, coalesce(nullif(whom.name, ''), whom.email) AS person,
           t.name AS type_name
    FROM chosen AS c
    LEFT JOIN event AS e ON e.id = c.event_id
    LEFT JOIN orders AS o ON o.id = c.order_id
    LEFT JOIN admin AS whom ON whom.id = CASE WHEN c.subject_kind = 'admin' THEN c.subject_id::uuid END
    LEFT JOIN ticket_type AS t ON t.id = CASE WHEN c.subject_kind = 'ticket_type' THEN c.subject_id::uuid END
    ORDER BY c.id DESC
"""


class AuditEntry(Table, tablename="audit_entry"):
    id = BigInt(primary_key=True, default=None)
    actor_id = UUID(default=None, null=True)
    actor_name = Text(default=None)
    action = Text(default=None)
    subject_kind = Text(default=None)
    subject_id = Text(default=None)
    before = JSONB(default="{}")
    after = JSONB(default="{}")
    created_at = Timestamptz()
    event_id = UUID(default=None, null=True)
    order_id = UUID(default=None, null=True)
    words = Text(default="")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for. Every condition that is set holds; a word may be the beginning of one.

    `titled`: events whose title says what `words` say. `by_house`: what nobody at the desk did.
    """

    words: tuple[str, ...] = ()
    titled: tuple[UUIDType, ...] = ()
    actor_id: UUIDType | None = None
    by_house: bool = False
    kinds: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    event_id: UUIDType | None = None
    order_id: UUIDType | None = None


async def place(kind: str, subject_id: UUIDType) -> Any | None:
    """The event and order that a thing belongs to, and its names."""
    return await database.fetchrow(PLACES[kind], subject_id) if kind in PLACES else None


async def last_deed(event_id: UUIDType) -> int:
    """The newest entry about an event; 0 when there is none."""
    return await database.fetchval("SELECT coalesce(max(id), 0) FROM audit_entry WHERE event_id = $1", event_id)


async def last_time(action: str, kind: str, subject_id: UUIDType) -> Any | None:
    """The newest entry of a deed that was done to a thing."""
    found = "SELECT * FROM audit_entry WHERE subject_kind = $1 AND subject_id = $2 AND action = $3"
    return await database.fetchrow(f"{found} ORDER BY id DESC LIMIT 1", kind, str(subject_id), action)


async def entries(wanted: Wanted, *, before: int | None, limit: int) -> Sequence[Any]:
    """Newest first. `before`: an entry's id; only older ones."""
    conditions, values = _conditions(wanted, before)
    return await database.fetch(ENTRIES.format(conditions=" AND ".join(conditions) or "true", limit=limit), *values)


async def titles() -> Sequence[Any]:
    """Of every event, as it is called now."""
    return await database.fetch("SELECT id, title FROM event")


async def people() -> Sequence[Any]:
    """Whoever is or was at the desk."""
    return await database.fetch("SELECT id, coalesce(nullif(name, ''), email) AS name FROM admin ORDER BY 2")


async def order_number(order_id: UUIDType) -> str | None:
    return await database.fetchval("SELECT number FROM orders WHERE id = $1", order_id)


def _conditions(wanted: Wanted, before: int | None) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []

    def add(condition: str, value: Any) -> None:
        values.append(value)
        conditions.append(condition.format(f"${len(values)}"))

    if before is not None:
        add("a.id < {}", before)
    if wanted.words:
        lexemes = " & ".join(f"'{word}':*" for word in wanted.words)  # letters and digits: there is nothing to quote
        found = f"{LEXEMES} @@ {{}}::text::tsquery"
        if wanted.titled:
            values.append(list(wanted.titled))
            found = f"({found} OR a.event_id = ANY (${len(values)}))"
        add(found, lexemes)
    if wanted.actor_id is not None:
        add("a.actor_id = {}", wanted.actor_id)
    if wanted.by_house:
        conditions.append("a.actor_id IS NULL")
    if wanted.kinds:
        add("a.subject_kind = ANY ({})", list(wanted.kinds))
    if wanted.since is not None:
        add("a.created_at >= {}", wanted.since)
    if wanted.until is not None:
        add("a.created_at < {}", wanted.until)
    if wanted.event_id is not None:
        add("a.event_id = {}", wanted.event_id)
    if wanted.order_id is not None:
        add("a.order_id = {}", wanted.order_id)
    return conditions, values
