"""Reconciliation: nothing depends on a webhook. Every payment that is not at rest is asked about again and again."""

from typing import Any

import structlog

from models import database
from services import lanes
from services.settlement import let_go, settle

log = structlog.get_logger()

# The lease is also the backoff: 15 s, then twice as long each time, ten minutes at most. Whoever has paid, and whose
# notice was lost, is heard of before their hold ends.
LAST_QUESTION_SECONDS = 20
# Materialised: looked for once, and not again for every row that the plan happens to begin with.
CLAIM = """
    WITH last AS MATERIALIZED (
        SELECT id, make_interval(secs => $1) AS question,
               make_interval(secs => least(600, 15 * power(2, least(attempts, 10)))) AS wait
        FROM payment WHERE status IN ('OPEN', 'CAPTURING', 'VOIDING') AND next_check_at <= clock_timestamp()
        ORDER BY next_check_at LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    UPDATE payment AS p SET attempts = attempts + 1, next_check_at = CASE
            WHEN p.status = 'OPEN' AND c.expires_at - last.question > clock_timestamp()
            THEN least(clock_timestamp() + last.wait, c.expires_at - last.question)
            ELSE clock_timestamp() + last.wait
        END
    FROM last, checkout AS c
    WHERE p.id = last.id AND c.id = p.checkout_id
    RETURNING p.id, p.checkout_id, p.reference, p.status
"""

# Nobody was ever given the secret of an intent whose creation we did not hear about: it cannot be paid.
VOID_FORGOTTEN = """
    UPDATE payment AS p SET status = 'VOIDED', last_error = 'never_opened'
    WHERE p.status = 'CREATING' AND p.updated_at < clock_timestamp() - interval '1 minute'
      AND NOT EXISTS (SELECT 1 FROM reservation AS r WHERE r.checkout_id = p.checkout_id AND r.status = 'ACTIVE')
"""

HOLD_GONE = "SELECT NOT EXISTS (SELECT 1 FROM reservation WHERE checkout_id = $1 AND status = 'ACTIVE')"


async def reconcile() -> int:
    """Ask about every payment that is due. Returns how many were asked about. Safe to run several times at once."""
    await database.execute(VOID_FORGOTTEN)
    return await lanes.work_off(_ask_about_one)


async def _ask_about_one() -> bool | None:
    payment = await database.fetchrow(CLAIM, LAST_QUESTION_SECONDS)
    if payment is None:
        return None
    try:
        await lanes.do(ask(payment))
    except Exception as error:
        log.warning("payment unanswered; will ask again", reference=payment["reference"], error=repr(error))
    return True


async def ask(payment: Any) -> None:
    """Ask how one payment stands and bring it as far as it can go; nobody pays for a hold that is gone.

    Raises OutcomeUnknown.
    """
    hold_gone = payment["status"] == "OPEN" and await database.fetchval(HOLD_GONE, payment["checkout_id"])
    await (let_go if hold_gone else settle)(payment["reference"])
