"""Notices: what the provider sends. Verified, kept, answered; acted upon later, by asking."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from models import database
from services import audit, disputes, lanes, refunds
from services.audit import Actor
from services.gateway import Notice, WhyRefused, current
from services.lanes import IN_NOBODYS_HANDS, LEASE, NEXT_TRY
from services.settlement import settle
from services.transaction import transaction

# What is looked at again when a notice of the kind arrives.
DEEDS: dict[str, Callable[[str], Awaitable[None]]] = {
    "payment_intent.": settle,
    "refund.": refunds.sync,
    "charge.refunded": refunds.sync,
    "charge.refund.": refunds.sync,
    "charge.dispute.": disputes.sync,
}
log = structlog.get_logger()
_refused: Counter[WhyRefused] = Counter()  # by this process, and not yet written down
_counted_at = 0.0

# These only tell that an intent exists: news as long as we have not heard of it ourselves.
TELL_OF_AN_INTENT = ("payment_intent.created", "payment_intent.requires_action", "payment_intent.processing")

# Another system may share the account: what is about none of our payments is kept as handled.
KEEP = """
    INSERT INTO payment_notice (id, type, reference, payload, handled_at)
    SELECT $1, $2, $3, $4, CASE
        WHEN $5 AND EXISTS (
            SELECT 1 FROM payment WHERE (reference = $3 AND $2 <> ALL($7)) OR (id = $6 AND reference IS NULL)
        ) THEN NULL
        ELSE clock_timestamp()
    END
    ON CONFLICT (id) DO NOTHING RETURNING handled_at IS NULL AS to_do
"""

CLAIM = f"""
    UPDATE payment_notice SET {LEASE}
    WHERE id = (
        SELECT id FROM payment_notice WHERE handled_at IS NULL AND run_at <= clock_timestamp()
        ORDER BY run_at LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    RETURNING id, type, reference, run_at = 'infinity' AS given_up
"""

FAILED = f"UPDATE payment_notice SET last_error = $2, {NEXT_TRY} WHERE id = $1 AND handled_at IS NULL"

REFUSED = """
    INSERT INTO refused_notice (reason, times) VALUES ($1, $2)
    ON CONFLICT (reason) DO UPDATE SET last_at = clock_timestamp(), times = excluded.times + CASE
        WHEN refused_notice.last_at > clock_timestamp() - interval '1 day' THEN refused_notice.times ELSE 0 END
"""

REVIVE = f"""
    UPDATE payment_notice SET run_at = clock_timestamp(), attempts = 0
    WHERE id = $1 AND handled_at IS NULL AND {IN_NOBODYS_HANDS} RETURNING type
"""


async def keep(notice: Notice) -> bool:
    """Store a verified notice once. True when it is new and there is something to do about it."""
    to_do = bool(notice.reference) and _deed(notice.type) is not None
    return bool(
        await database.fetchval(
            KEEP,
            notice.id,
            notice.type,
            notice.reference,
            notice.payload,
            to_do,
            notice.payment_id,
            TELL_OF_AN_INTENT,
        )
    )


async def count_refused(reason: WhyRefused) -> None:
    """Nothing depends on a notice that was turned away, but somebody should know. Whoever floods the door does not
    flood the database: at most one word a second, for all that came since."""
    global _counted_at
    _refused[reason] += 1
    if time.monotonic() - _counted_at < 1:
        return
    _counted_at = time.monotonic()
    for why in list(_refused):
        count = _refused[why]
        log.warning("notices refused", reason=why, count=count)
        try:
            await database.execute(REFUSED, why, count)
        except Exception as error:  # it is counted with the next one; the answer to this one is the same
            log.warning("refused notices are not counted yet", error=error)
            return
        _refused[why] -= count
        if not _refused[why]:
            del _refused[why]


def read(raw: bytes, signature: str) -> Notice:
    """Raises NoticeRefused."""
    return current().read_notice(raw, signature)


async def handle_due(in_lanes: int = lanes.LANES) -> int:
    """Settle what the kept notices point at. Returns how many were handled. Safe to run several times at once."""

    async def take_one() -> bool | None:
        notice = await database.fetchrow(CLAIM, lanes.MAX_ATTEMPTS, lanes.LEASE_SECONDS)
        return await _handle(notice) if notice else None

    return await lanes.work_off(take_one, lanes=in_lanes)


async def try_again(notice_id: str, *, actor: Actor) -> None:
    """A notice that was given up gets its attempts anew."""
    async with transaction():
        kind = await database.fetchval(REVIVE, notice_id)
        if kind:
            await audit.write(actor, "tried again", "notice", notice_id, after={"type": kind})


def _deed(kind: str) -> Callable[[str], Awaitable[None]] | None:
    return next((deed for prefix, deed in DEEDS.items() if kind.startswith(prefix)), None)


async def _handle(notice: Any) -> bool:
    deed = _deed(notice["type"])
    assert deed is not None, "a notice without a deed is kept as handled"
    if notice["given_up"]:
        log.error("notice: given up", notice=notice["id"])
        return False
    try:
        await lanes.do(deed(notice["reference"]))
    except Exception as error:
        log.warning("notice: will try again", notice=notice["id"], error=error)
        await database.execute(FAILED, notice["id"], repr(error)[:500], *lanes.next_try(error))
        return False
    await database.execute(
        "UPDATE payment_notice SET handled_at = clock_timestamp(), last_error = NULL WHERE id = $1", notice["id"]
    )
    return True
