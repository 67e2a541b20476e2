"""Disputes: a card holder says that the charge was not theirs. The house flags them; people answer at the provider.

When one is lost the bank has given the money back, and somebody may decide that its tickets admit nobody any more: a
refund of nothing, so that all that holds for tickets of a refund holds for them. Should the bank change its mind, it is
called off as a refund that failed, and the tickets are valid again.
"""

import hashlib
from collections.abc import Set
from uuid import UUID

from domain.attention import NotOnTheList
from domain.refunds import RefundReason, TheseTickets
from models import database
from services import refunds
from services.audit import Actor
from services.gateway import current

LOST, WON = "lost", "won"

WRITE = """
    INSERT INTO dispute (id, payment_id, amount, currency, reason, status, respond_by)
    SELECT $1, p.id, $3, $4, $5, $6, $7 FROM payment AS p WHERE p.reference = $2
    ON CONFLICT (id) DO UPDATE SET amount = $3, reason = $5, status = $6, respond_by = $7
    WHERE (dispute.amount, dispute.reason, dispute.status, dispute.respond_by) IS DISTINCT FROM ($3, $5, $6, $7)
      -- Decided is decided: an answer from before, that comes after, changes nothing.
      AND (dispute.status NOT IN ('won', 'lost') OR $6 IN ('won', 'lost'))
"""

FIND = """
    SELECT d.status, o.id AS order_id FROM dispute AS d JOIN orders AS o ON o.payment_id = d.payment_id WHERE d.id = $1
"""

# The key begins with the dispute's id: see _key.
OF_THIS_DISPUTE = """
    SELECT id FROM refund WHERE reason = 'DISPUTED' AND status <> 'FAILED' AND starts_with(request_key, $1 || '-')
"""


async def sync(intent: str) -> None:
    """Take over what the provider knows about disputes of an intent. Raises OutcomeUnknown."""
    for theirs in await current().disputes_of(intent):
        await database.execute(
            WRITE, theirs.id, intent, theirs.amount, theirs.currency, theirs.reason, theirs.status, theirs.respond_by
        )
        if theirs.status == WON:
            await _call_off(theirs.id)


async def make_tickets_invalid(dispute_id: str, ids: Set[UUID], *, actor: Actor) -> UUID:
    """The bank has given the money back: these tickets admit nobody from now on. Returns the refund of nothing.

    Their seats stay off sale until somebody returns them; the buyer is told by mail. The same tickets once more are the
    same. Raises NotOnTheList unless the dispute is lost, NothingToRefund, TicketsNotRefundable.
    """
    found = await database.fetchrow(FIND, dispute_id)
    if found is None or found["status"] != LOST:
        raise NotOnTheList
    refund_id = await refunds.request(
        found["order_id"],
        TheseTickets(frozenset(ids), 0),
        reason=RefundReason.DISPUTED,
        note="",
        seats_return=False,
        request_key=_key(dispute_id, ids),
        actor=actor,
    )
    # Whoever heard meanwhile that it was won has looked for what we had not yet written.
    if (await database.fetchval("SELECT status FROM dispute WHERE id = $1", dispute_id)) == WON:
        await _call_off(dispute_id)
    return refund_id


async def _call_off(dispute_id: str) -> None:
    for row in await database.fetch(OF_THIS_DISPUTE, dispute_id):
        await refunds.call_off(row["id"], problem="dispute_won")


def _key(dispute_id: str, ids: Set[UUID]) -> str:
    """One set of tickets of one dispute is one request, pressed however often."""
    tickets = ",".join(sorted(map(str, ids)))
    return f"{dispute_id}-{hashlib.blake2s(tickets.encode(), digest_size=12).hexdigest()}"
