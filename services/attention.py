"""Attention: what a person may do about a payment that came to no rest by itself.

Each verb does what the house would have done later anyway, now and at somebody's word, and the audit keeps what it was
before and what it became: the desk's page tells from there what came of it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import structlog

from domain.attention import CLOSED_DISPUTE, NotOnTheList, Subject, seen_name
from domain.errors import Refusal
from domain.payments import OurProblem, PaymentStatus
from domain.refunds import RefundReason, RefundStatus
from models import database
from services import audit, comparison, disputes, notices, outbox, reconciliation, refunds, seats, tickets
from services.audit import Actor
from services.gateway import NotAsked, OutcomeUnknown, RequestRefused
from services.transaction import transaction

# Somebody looks at the button: an answer that takes longer than this is none.
PATIENCE_SECONDS = 12.0
ASKED, MADE_TICKETS, SEEN, COMPARISON_ASKED_FOR = "asked again", "made tickets", "seen", "comparison asked for"
TRIED, RETURNED, REFUNDED = "tried again", "seats returned to sale", "refund requested"
# What is shown as the answer to an item.
ANSWERS = [ASKED, MADE_TICKETS, SEEN, TRIED, RETURNED, seats.TAKEN_BACK]

log = structlog.get_logger()

PAYMENT = """
    SELECT p.*, o.number FROM payment AS p LEFT JOIN orders AS o ON o.payment_id = p.id WHERE p.id = $1
"""
REFUND = """
    SELECT r.*, p.reference AS intent, n.id AS note_id, coalesce(n.run_at = 'infinity', false) AS given_up
    FROM refund AS r JOIN payment AS p ON p.id = r.payment_id
    LEFT JOIN outbox AS n ON (n.kind, n.subject) = ('refund', r.id) AND n.done_at IS NULL WHERE r.id = $1
"""
DISPUTE = "SELECT d.*, p.reference AS intent FROM dispute AS d JOIN payment AS p ON p.id = d.payment_id WHERE d.id = $1"
ORDER = "SELECT id, number, status FROM orders WHERE id = $1"
DISCREPANCY = """
    SELECT d.*, CASE WHEN cleared_at IS NULL THEN 'DIFFERS' ELSE 'AGREES' END AS status
    FROM discrepancy AS d WHERE id = $1
"""
FIND = {
    Subject.PAYMENT: PAYMENT,
    Subject.REFUND: REFUND,
    Subject.DISPUTE: DISPUTE,
    Subject.ORDER: ORDER,
    Subject.DISCREPANCY: DISCREPANCY,
}

SEE = "INSERT INTO seen (id, seen_by) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING RETURNING id"

# One comparison at a time, and one ring for it: a second press within the minute finds the first.
ASK_ONCE = "SELECT pg_advisory_xact_lock(hashtext('comparison asked for'))"
UNDER_WAY = """
    SELECT EXISTS (SELECT 1 FROM comparison WHERE finished_at IS NULL AND last_error IS NULL
                     AND started_at > clock_timestamp() - interval '1 hour')
        OR EXISTS (SELECT 1 FROM audit_entry WHERE subject_kind = 'comparison'
                     AND created_at > clock_timestamp() - interval '1 minute'
                     AND created_at > (SELECT coalesce(max(started_at), '-infinity') FROM comparison))
"""


async def ask_again(subject: Subject, subject_id: str, *, actor: Actor) -> None:
    """Have the provider asked now, and do what follows. No answer is an answer too: it is written down.

    Raises NotOnTheList.
    """
    before = await _find(subject, subject_id)
    problem = await _try(subject, before, actor)
    after = await _find(subject, subject_id)
    action = MADE_TICKETS if subject == Subject.ORDER else ASKED
    facts = {"status": after["status"]}
    if number := dict(after).get("number"):
        facts["order"] = number
    if problem:
        facts["problem"] = problem
    async with transaction():
        await audit.write(actor, action, subject, subject_id, before={"status": before["status"]}, after=facts)


async def try_again(subject: Subject, subject_id: str, *, actor: Actor) -> None:
    """A dead letter gets its attempts anew; the caller rings the worker. Raises NotOnTheList."""
    if subject == Subject.NOTE and subject_id.isdecimal():
        await outbox.try_again(int(subject_id), actor=actor)
    elif subject == Subject.NOTICE:
        await notices.try_again(subject_id, actor=actor)
    else:
        raise NotOnTheList


async def see(subject: Subject, subject_id: str, *, status: str, actor: Actor) -> None:
    """Somebody knows of a payment, refund or dispute that needs no deed of ours. `status`: what they have read.

    Raises NotOnTheList when it has become something else meanwhile, or still needs somebody.
    """
    if subject not in (Subject.PAYMENT, Subject.REFUND, Subject.DISPUTE):
        raise NotOnTheList
    found = await _find(subject, subject_id)
    if found["status"] != status or not _can_be_seen(subject, found):
        raise NotOnTheList
    async with transaction():
        if await database.fetchval(SEE, seen_name(subject, found["id"], found["status"]), actor.name):
            await audit.write(actor, SEEN, subject, subject_id, after={"status": found["status"]})


async def ask_for_comparison(*, actor: Actor) -> bool:
    """Write down that somebody wants the books compared now. False when that is under way; else ring the worker."""
    async with transaction():
        await database.execute(ASK_ONCE)
        if await database.fetchval(UNDER_WAY):
            return False
        await audit.write(actor, COMPARISON_ASKED_FOR, Subject.COMPARISON, "now")
        return True


def _can_be_seen(subject: Subject, row: Any) -> bool:
    if subject == Subject.DISPUTE:
        return row["status"] in CLOSED_DISPUTE
    if subject == Subject.PAYMENT:
        return (row["status"], row["last_error"]) == (PaymentStatus.VOIDED, OurProblem.AMOUNT_DIFFERS)
    return row["status"] == RefundStatus.FAILED or row["reason"] == RefundReason.OUTSIDE


async def _try(subject: Subject, row: Any, actor: Actor) -> str | None:
    """What stood in the way, as a code; None when the provider answered."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await DEEDS[subject](row, actor)
    except RequestRefused as refusal:
        return refusal.code or "refused"
    except NotAsked:
        return "line"
    except (OutcomeUnknown, TimeoutError):
        return "no_answer"
    except Refusal:
        raise
    except Exception as error:
        log.exception("asking again broke", subject=subject, error=error)
        return "broken"
    return None


async def _ask_payment(row: Any, _: Actor) -> None:
    if row["reference"] is None or row["provider"] != "stripe":
        raise NotOnTheList
    await reconciliation.ask(row)


async def _ask_refund(row: Any, actor: Actor) -> None:
    if row["given_up"]:
        await outbox.try_again(row["note_id"], actor=actor)
    if row["status"] == RefundStatus.REQUESTED:
        await refunds.run(row["id"])  # looks whether it was made before it makes it
    else:
        await refunds.sync(row["intent"])


async def _ask_dispute(row: Any, _: Actor) -> None:
    await disputes.sync(row["intent"])


async def _make_tickets(row: Any, _: Actor) -> None:
    await tickets.issue(row["id"])


async def _look_again(row: Any, _: Actor) -> None:
    await comparison.look_again(row["reference"])


DEEDS: dict[Subject, Callable[[Any, Actor], Awaitable[None]]] = {
    Subject.PAYMENT: _ask_payment,
    Subject.REFUND: _ask_refund,
    Subject.DISPUTE: _ask_dispute,
    Subject.ORDER: _make_tickets,
    Subject.DISCREPANCY: _look_again,
}


async def _find(subject: Subject, subject_id: str) -> Any:
    if subject not in FIND:
        raise NotOnTheList
    try:
        key = subject_id if subject == Subject.DISPUTE else UUID(subject_id)
    except ValueError:
        raise NotOnTheList from None
    row = await database.fetchrow(FIND[subject], key)
    if row is None:
        raise NotOnTheList
    return row
