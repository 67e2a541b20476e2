"""Outbox: what must still happen, written with the change that made it necessary, done at least once.

PostgreSQL is the truth: a row is leased by moving its `run_at`, so a worker that dies loses nothing.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from models import database
from services import audit, lanes
from services.audit import Actor
from services.lanes import IN_NOBODYS_HANDS, LEASE, NEXT_TRY
from services.transaction import transaction

WRITE = """
    INSERT INTO outbox (kind, subject, run_at) VALUES ($1, $2, coalesce($3, clock_timestamp()))
    ON CONFLICT (kind, subject) DO NOTHING
"""

# What was done is to be done once more; what has not been done yet covers both.
WRITE_AGAIN = """
    INSERT INTO outbox (kind, subject) VALUES ($1, $2)
    ON CONFLICT (kind, subject) DO UPDATE SET done_at = NULL, attempts = 0, run_at = clock_timestamp()
    WHERE outbox.done_at IS NOT NULL
"""

CLAIM = f"""
    UPDATE outbox SET {LEASE}
    WHERE id = (
        SELECT id FROM outbox WHERE done_at IS NULL AND run_at <= clock_timestamp()
        ORDER BY run_at LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING id, kind, subject, run_at = 'infinity' AS given_up
"""

DONE = "UPDATE outbox SET done_at = clock_timestamp(), last_error = NULL WHERE id = $1 AND done_at IS NULL"

FAILED = f"UPDATE outbox SET last_error = $2, {NEXT_TRY} WHERE id = $1 AND done_at IS NULL"

REVIVE = f"""
    UPDATE outbox SET run_at = clock_timestamp(), attempts = 0
    WHERE id = $1 AND done_at IS NULL AND {IN_NOBODYS_HANDS} RETURNING subject
"""

Handler = Callable[[UUID], Awaitable[object]]
log = structlog.get_logger()


async def write(kind: str, subject: UUID, *, not_before: datetime | None = None) -> None:
    """Leave a note inside the running transaction. One note per kind and subject, whatever is retried."""
    await database.execute(WRITE, kind, subject, not_before)


async def write_again(kind: str, subject: UUID) -> None:
    """Leave a note inside the running transaction, also when the like of it was done before."""
    await database.execute(WRITE_AGAIN, kind, subject)


async def try_again(note_id: int, *, actor: Actor) -> None:
    """A dead letter gets its attempts anew: what stood in its way has been put right."""
    async with transaction():
        subject = await database.fetchval(REVIVE, note_id)
        if subject:
            await audit.write(actor, "tried again", "outbox", str(note_id), after={"subject": subject})


async def strike(kind: str, subject: UUID) -> None:
    """The deed was done by someone else, in the running transaction."""
    await database.execute(
        "UPDATE outbox SET done_at = clock_timestamp() WHERE kind = $1 AND subject = $2 AND done_at IS NULL",
        kind,
        subject,
    )


async def drain(handlers: Mapping[str, Handler], *, in_lanes: int = lanes.LANES) -> int:
    """Do everything that is due. Returns how many deeds were done. Safe to run several times at once."""

    async def take_one() -> bool | None:
        note = await database.fetchrow(CLAIM, lanes.MAX_ATTEMPTS, lanes.LEASE_SECONDS)
        return await _do(handlers, note) if note else None

    return await lanes.work_off(take_one, lanes=in_lanes)


async def _do(handlers: Mapping[str, Handler], note: Any) -> bool:
    kind, subject = note["kind"], note["subject"]
    if note["given_up"]:
        log.error("outbox: given up", kind=kind, subject=str(subject))
        return False
    try:
        await lanes.do(handlers[kind](subject))
    except Exception as error:
        log.warning("outbox: will try again", kind=kind, subject=str(subject), error=error)
        await database.execute(FAILED, note["id"], repr(error)[:500], *lanes.next_try(error))
        return False
    await database.execute(DONE, note["id"])
    return True
