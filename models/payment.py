"""Payment (our side of one intent) and PaymentNotice (what the provider sent, kept before it is answered)."""

from piccolo.columns import JSON, UUID, BigInt, ForeignKey, Integer, Text, Timestamptz
from piccolo.columns.base import OnDelete
from piccolo.table import Table

from models.checkout import Checkout
from models.ids import new_id


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
