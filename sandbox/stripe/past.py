"""Payments that were made before the sandbox heard of them: the buyers of the demo have paid weeks ago."""

from typing import Annotated

from msgspec import Meta, Struct

from sandbox.stripe import amounts, cards, charges, shapes
from sandbox.stripe.ledger import Ledger


class Payment(Struct, frozen=True, forbid_unknown_fields=True):
    """Taken in full, in minor units, at `created` (seconds since 1970)."""

    reference: Annotated[str, Meta(pattern=r"^[\w-]+$")]
    amount: int
    currency: str
    created: int
    metadata: dict[str, str] = {}


class Payments(Struct, frozen=True, forbid_unknown_fields=True):
    payments: list[Payment]


class References(Struct, frozen=True, forbid_unknown_fields=True):
    references: list[str]


def write_down(ledger: Ledger, payments: list[Payment]) -> int:
    """As if each had been authorised and captured here; no events, it is no news. Returns how many are new.

    What is known stays as it is. Raises ApiError for an amount that Stripe would not have taken.
    """
    by_reference = {payment.reference: payment for payment in payments}
    new = ledger.store.missing(list(by_reference))
    for reference in new:
        _write_down(ledger, by_reference[reference])
    return len(new)


def _write_down(ledger: Ledger, payment: Payment) -> None:
    amount, currency = amounts.chargeable(str(payment.amount), payment.currency)
    method = cards.method_from_alias("pm_card_visa", payment.created)
    intent = shapes.intent(payment.created, amount, currency, id=payment.reference) | {
        "allowed_payment_method_types": ["card"],
        "amount_received": amount,
        "capture_method": "manual",
        "metadata": payment.metadata,
        "payment_method": method["id"],
        "status": "succeeded",
    }
    intent["latest_charge"] = charges.write_down(ledger, intent, method)
    ledger.save(method)
    ledger.save(intent)
