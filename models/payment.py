"""Payment (our side of one intent), PaymentNotice (what the provider sent, kept before it is answered), RefusedNotice
(what was turned away), Dispute, and what the daily comparison with the provider found."""

from typing import Any
from uuid import UUID as UUIDType

from piccolo.columns import JSON, UUID, BigInt, ForeignKey, Integer, Text, Timestamptz
from piccolo.columns.base import OnDelete
from piccolo.table import Table

from models import database
from models.checkout import Checkout
from models.ids import new_id

PURCHASE = """
    SELECT p.*, c.buyer_name, c.buyer_email, e.slug, e.title, o.id AS order_id,
           EXISTS (SELECT 1 FROM payment AS n WHERE n.checkout_id = c.id AND n.id <> p.id
                   AND n.status IN ('CAPTURED', 'REFUNDED')) AS charged_otherwise,
           EXISTS (SELECT 1 FROM payment AS n WHERE n.checkout_id = c.id AND n.id <> p.id
                   AND n.status IN ('CREATING', 'CAPTURING', 'VOIDING', 'OPEN'))
           OR p.last_error IS DISTINCT FROM 'amount_differs' -- whose letter does not say that the tickets are gone
              AND EXISTS (SELECT 1 FROM reservation AS r WHERE r.checkout_id = c.id AND r.status = 'ACTIVE'
                          AND r.expires_at > clock_timestamp()) AS still_paying
    FROM payment AS p
    JOIN checkout AS c ON c.id = p.checkout_id JOIN event AS e ON e.id = c.event_id
    LEFT JOIN orders AS o ON o.checkout_id = c.id WHERE p.id = $1
"""


class Payment(Table, tablename="payment"):
    id = UUID(primary_key=True, default=new_id)
    checkout_id = ForeignKey(Checkout, default=None, on_delete=OnDelete.restrict, null=False)
    provider = Text(default=None)
    reference = Text(default=None, null=True)
    amount = BigInt(default=None)
    currency = Text(default=None)
    status = Text(default="CREATING")
    hold_ended_at = Timestamptz(default=None, null=True)
    last_error = Text(default=None, null=True)
    attempts = Integer(default=0)
    next_check_at = Timestamptz()
    captured = BigInt(default=None, null=True)
    turn_at = Timestamptz(default=None, null=True)
    method = Text(default=None, null=True)
    note = Text(default="")
    created_at = Timestamptz()
    updated_at = Timestamptz()


class PaymentNotice(Table, tablename="payment_notice"):
    id = Text(primary_key=True, default=None)
    type = Text(default=None)
    reference = Text(default=None, null=True)
    payload = JSON(default=None)
    attempts = Integer(default=0)
    run_at = Timestamptz()
    last_error = Text(default=None, null=True)
    handled_at = Timestamptz(default=None, null=True)
    created_at = Timestamptz()


class RefusedNotice(Table, tablename="refused_notice"):
    """What the webhook turned away, counted by the reason why."""

    reason = Text(primary_key=True, default=None)
    times = BigInt(default=None)
    last_at = Timestamptz()


class Dispute(Table, tablename="dispute"):
    id = Text(primary_key=True, default=None)
    payment_id = ForeignKey(Payment, default=None, on_delete=OnDelete.restrict, null=False)
    amount = BigInt(default=None)
    currency = Text(default=None)
    reason = Text(default=None)
    status = Text(default=None)
    respond_by = Timestamptz(default=None, null=True)
    created_at = Timestamptz()
    updated_at = Timestamptz()


class Comparison(Table, tablename="comparison"):
    id = UUID(primary_key=True, default=new_id)
    since = Timestamptz(default=None)
    compared = Integer(default=0)
    last_error = Text(default=None, null=True)
    started_at = Timestamptz()
    finished_at = Timestamptz(default=None, null=True)


class Discrepancy(Table, tablename="discrepancy"):
    id = UUID(primary_key=True, default=new_id)
    kind = Text(default=None)
    reference = Text(default=None)
    payment_id = ForeignKey(Payment, default=None, on_delete=OnDelete.restrict, null=True)
    theirs = Text(default=None)
    ours = Text(default=None)
    found_at = Timestamptz()
    cleared_at = Timestamptz(default=None, null=True)


class Pace(Table, tablename="pace"):
    lane = Text(primary_key=True, default=None)
    next_at = Timestamptz(default=None)
    taken_at = Timestamptz()


class Seen(Table, tablename="seen"):
    id = Text(primary_key=True, default=None)
    seen_by = Text(default=None)
    created_at = Timestamptz()


async def purchase(payment_id: UUIDType) -> Any | None:
    """A payment with who was buying, and what; `order_id` when the checkout became one, by this payment or another."""
    return await database.fetchrow(PURCHASE, payment_id)
