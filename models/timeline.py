"""What is known of how an order came about and what became of it, from all the tables that know something."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from models import database

CHECKOUT = """
    SELECT c.*, (SELECT coalesce(sum(r.quantity), 0)::int FROM reservation AS r
                  WHERE r.checkout_id = c.id AND r.replaces IS NULL) AS tickets
    FROM orders AS o JOIN checkout AS c ON c.id = o.checkout_id WHERE o.id = $1
"""

PAYMENTS = """
    SELECT p.* FROM orders AS o JOIN payment AS p ON p.checkout_id = o.checkout_id WHERE o.id = $1 ORDER BY p.id
"""

# What the provider told; in full only where it says why a card was declined.
NOTICES = """
    SELECT n.id, n.type, n.created_at,
           CASE n.type WHEN 'payment_intent.payment_failed' THEN n.payload::text END AS payload
    FROM orders AS o JOIN payment AS p ON p.checkout_id = o.checkout_id
    JOIN payment_notice AS n ON n.reference = p.reference
    WHERE o.id = $1 ORDER BY n.created_at
"""

MAIL_KINDS = [
    "confirmation_mail",
    "confirmation_again_mail",
    "not_charged_mail",
    "refund_mail",
    "refund_failed_mail",
    "valid_again_mail",
]

# The mails about an order: of itself, of somebody's request to send it again, of its refunds and payments.
MAILS = """
    SELECT n.id, n.kind, n.subject, n.attempts, n.last_error, n.done_at, n.created_at, n.run_at = 'infinity' AS given_up
    FROM orders AS o JOIN outbox AS n ON n.kind = ANY($2) AND n.subject = ANY(
        ARRAY[o.id]
        || ARRAY(SELECT m.id FROM mail_request AS m WHERE m.order_id = o.id)
        || ARRAY(SELECT r.id FROM refund AS r JOIN payment AS p ON p.id = r.payment_id
                  WHERE p.checkout_id = o.checkout_id)
        || ARRAY(SELECT p.id FROM payment AS p WHERE p.checkout_id = o.checkout_id))
    WHERE o.id = $1
"""

DEEDS = """
    SELECT a.id, a.actor_id, a.actor_name, a.action, a.subject_kind, a.subject_id, a.before::text AS before,
           a.after::text AS after, a.created_at, r.amount, r.currency, r.reason
    FROM audit_entry AS a LEFT JOIN refund AS r ON a.subject_kind = 'refund' AND r.id::text = a.subject_id
    WHERE (a.subject_kind, a.subject_id) IN (
        SELECT 'order', $1::uuid::text
        UNION SELECT 'refund', f.id::text FROM refund AS f WHERE f.order_id = $1::uuid
        UNION SELECT 'payment', p.id::text FROM orders AS o JOIN payment AS p ON p.checkout_id = o.checkout_id
               WHERE o.id = $1::uuid
        UNION SELECT 'dispute', d.id FROM orders AS o JOIN dispute AS d ON d.payment_id = o.payment_id
               WHERE o.id = $1::uuid)
"""

DISPUTES = """
    SELECT d.* FROM orders AS o JOIN dispute AS d ON d.payment_id = o.payment_id WHERE o.id = $1 ORDER BY d.created_at
"""


@dataclass(frozen=True, slots=True)
class Traces:
    """All that happened to an order, as the tables have it."""

    checkout: Any
    payments: list[Any]
    notices: list[Any]
    mails: list[Any]
    deeds: list[Any]
    disputes: list[Any]


async def traces(order_id: UUID) -> Traces:
    return Traces(
        checkout=await database.fetchrow(CHECKOUT, order_id),
        payments=list(await database.fetch(PAYMENTS, order_id)),
        notices=list(await database.fetch(NOTICES, order_id)),
        mails=list(await database.fetch(MAILS, order_id, MAIL_KINDS)),
        deeds=list(await database.fetch(DEEDS, order_id)),
        disputes=list(await database.fetch(DISPUTES, order_id)),
    )
