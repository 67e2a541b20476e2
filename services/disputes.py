"""Disputes: a card holder says that the charge was not theirs. The house flags them; people answer at the provider."""

from models import database
from services.gateway import current

WRITE = """
    INSERT INTO dispute (id, payment_id, amount, currency, reason, status, respond_by)
    SELECT $1, p.id, $3, $4, $5, $6, $7 FROM payment AS p WHERE p.reference = $2
    ON CONFLICT (id) DO UPDATE SET amount = $3, reason = $5, status = $6, respond_by = $7
    WHERE (dispute.amount, dispute.reason, dispute.status, dispute.respond_by) IS DISTINCT FROM ($3, $5, $6, $7)
"""


async def sync(intent: str) -> None:
    """Take over what the provider knows about disputes of an intent. Raises OutcomeUnknown."""
    for theirs in await current().disputes_of(intent):
        await database.execute(
            WRITE, theirs.id, intent, theirs.amount, theirs.currency, theirs.reason, theirs.status, theirs.respond_by
        )
