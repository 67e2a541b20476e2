"""Reconciliation: nothing depends on a webhook. Every payment that is not at rest is asked about again and again."""

from typing import Any

import structlog

from models import database
from services.settlement import let_go, settle

log = structlog.get_logger()

# The lease is also the backoff: 15 s, then twice as long each time, ten minutes at most.
CLAIM = """
    UPDATE payment SET attempts = attempts + 1,
        next_check_at = clock_timestamp() + make_interval(secs => least(600, 15 * power(2, least(attempts, 10))))
    WHERE id IN (
        SELECT id FROM payment
        WHERE status IN ('OPEN', 'CAPTURING', 'VOIDING') AND next_check_at <= clock_timestamp()
        ORDER BY next_check_at LIMIT $1 FOR UPDATE SKIP LOCKED
    )
    RETURNING id, checkout_id, reference, status
"""

# Nobody was ever given the secret of an intent whose creation we did not hear about: it cannot be paid.
VOID_FORGOTTEN = """
    UPDATE payment AS p SET status = 'VOIDED', last_error = 'never_opened'
    WHERE p.status = 'CREATING' AND p.updated_at < clock_timestamp() - interval '1 minute'
      AND NOT EXISTS (SELECT 1 FROM reservation AS r WHERE r.checkout_id = p.checkout_id AND r.status = 'ACTIVE')
"""

HOLD_GONE = "SELECT NOT EXISTS (SELECT 1 FROM reservation WHERE checkout_id = $1 AND status = 'ACTIVE')"


async def reconcile(limit: int = 50) -> int:
    """Ask about every payment that is due. Returns how many were asked about."""
    await database.execute(VOID_FORGOTTEN)
    due = await database.fetch(CLAIM, limit)
    for payment in due:
        try:
            await ask(payment)
        except Exception as error:
            log.warning("payment unanswered; will ask again", reference=payment["reference"], error=repr(error))
    return len(due)


async def ask(payment: Any) -> None:
    """Ask how one payment stands and bring it as far as it can go; nobody pays for a hold that is gone.

    Raises OutcomeUnknown.
    """
    hold_gone = payment["status"] == "OPEN" and await database.fetchval(HOLD_GONE, payment["checkout_id"])
    await (let_go if hold_gone else settle)(payment["reference"])
