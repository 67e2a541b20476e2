"""Refunds: never more than was taken and not yet given back.

A refund counts against its charge from its first moment, pending or not; when it fails or is cancelled, the amount
comes back to the charge and may be refunded again. https://docs.stripe.com/refunds, /testing#refunds
"""

from sandbox.stripe import amounts, cards, charges, shapes
from sandbox.stripe.ledger import Ledger
from sandbox.stripe.wire import ApiError, Json, merged, refuse_parameter

REASONS = ("duplicate", "fraudulent", "requested_by_customer")
# What may still become of a refund: the bank can send back even one that had succeeded.
MAY_BE = {
    "succeeded": ("pending",),
    "failed": ("pending", "succeeded"),
    "canceled": ("pending", "succeeded"),
}
FAILURE_REASONS = (
    "charge_for_pending_refund_disputed", "declined", "expired_or_canceled_card", "insufficient_funds",
    "lost_or_stolen_card", "merchant_request", "unknown",
)  # fmt: skip


def create(ledger: Ledger, params: Json) -> Json:
    intent, charge = _paid(ledger, params)
    reason = params.get("reason") or None
    if reason not in (None, *REASONS):
        refuse_parameter("reason", None, f"Invalid reason: must be one of {', '.join(REASONS)}")
    amount = amounts.part_of(
        params,
        "amount",
        _left(charge),
        charge["currency"],
        "Refund amount ({amount}) is greater than unrefunded amount on charge ({most})",
    )
    card = cards.card_of(ledger.find("payment_method", charge["payment_method"]))
    refund = shapes.refund(ledger.now, intent, amount, card.refunds) | {
        "payment_method": charge["payment_method"],
        "reason": reason,
        "metadata": merged({}, params.get("metadata")),
    }
    ledger.save(refund)
    ledger.tell("refund.created", refund)
    charges.give_back(ledger, charge, amount)
    return refund


def retrieve(ledger: Ledger, params: Json, refund_id: str) -> Json:
    return ledger.find("refund", refund_id)


def list_all(ledger: Ledger, params: Json) -> Json:
    return ledger.list_page("refund", params, "/v1/refunds")


def update(ledger: Ledger, params: Json, refund_id: str) -> Json:
    """Metadata is all that may be changed."""
    refund = ledger.find("refund", refund_id)
    before = refund["metadata"]
    refund["metadata"] = merged(before, params.get("metadata"))
    _changed(ledger, refund, {"metadata": before})
    return refund


def cancel(ledger: Ledger, params: Json, refund_id: str) -> Json:
    """Only refunds that wait for the buyer can be cancelled through the API, and those to a card never do."""
    refund = ledger.find("refund", refund_id)
    raise ApiError(400, f"Refund {refund['id']} cannot be canceled: its status is {refund['status']}.", param="refund")


def succeed(ledger: Ledger, refund_id: str) -> Json:
    """A pending refund has reached the buyer's bank."""
    refund = _require(ledger, refund_id, "succeeded")
    before = {"status": refund["status"], "pending_reason": refund["pending_reason"]}
    refund |= {"status": "succeeded", "pending_reason": None}
    _changed(ledger, refund, before)
    return refund


def fail(ledger: Ledger, refund_id: str, reason: str = "unknown") -> Json:
    """The bank sends the money back, even after it said yes."""
    if reason not in FAILURE_REASONS:
        refuse_parameter("reason", None, f"Invalid reason: must be one of {', '.join(FAILURE_REASONS)}")
    refund = _take_back(ledger, refund_id, "failed", reason)
    ledger.tell("refund.failed", refund)
    return refund


def withdraw(ledger: Ledger, refund_id: str) -> Json:
    """Cancelled in the Dashboard, as a card's refund can be shortly after it was made."""
    return _take_back(ledger, refund_id, "canceled", "merchant_request")


def fail_pending(ledger: Ledger, charge_id: str) -> None:
    """A dispute overtakes the refunds of its charge that are not through yet."""
    for refund in ledger.all("refund", charge=charge_id):
        if refund["status"] == "pending":
            fail(ledger, refund["id"], "charge_for_pending_refund_disputed")


def _take_back(ledger: Ledger, refund_id: str, status: str, reason: str) -> Json:
    refund = _require(ledger, refund_id, status)
    before = {name: refund[name] for name in ("status", "pending_reason", "failure_reason")}
    refund |= {"status": status, "pending_reason": None, "failure_reason": reason}
    charges.keep(ledger, ledger.find("charge", refund["charge"]), refund["amount"])
    _changed(ledger, refund, before)
    return refund


def _changed(ledger: Ledger, refund: Json, before: Json) -> None:
    ledger.save(refund)
    ledger.tell("refund.updated", refund, before)
    ledger.tell("charge.refund.updated", refund, before)


def _require(ledger: Ledger, refund_id: str, status: str) -> Json:
    refund = ledger.find("refund", refund_id)
    if refund["status"] not in MAY_BE[status]:
        raise ApiError(400, f"This refund is {refund['status']}; it cannot become {status} any more.")
    return refund


def _left(charge: Json) -> int:
    left = int(charge["amount_captured"] - charge["amount_refunded"])
    if left <= 0:
        raise ApiError(400, f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    return left


def _paid(ledger: Ledger, params: Json) -> tuple[Json, Json]:
    """The intent and charge that the refund names by either id; a 400 when there is no money of ours in it."""
    if charge_id := params.get("charge"):
        intent = ledger.find("payment_intent", ledger.find("charge", charge_id)["payment_intent"])
    elif intent_id := params.get("payment_intent"):
        intent = ledger.find("payment_intent", intent_id)
    else:
        refuse_parameter(
            "charge", "parameter_missing", "One of the following params should be provided: charge, payment_intent."
        )
    if intent["status"] != "succeeded":
        raise ApiError(
            400,
            f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
            param="payment_intent",
        )
    charge = ledger.find("charge", intent["latest_charge"])
    if any(not dispute["is_charge_refundable"] for dispute in ledger.all("dispute", charge=charge["id"])):
        raise ApiError(
            400, f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed"
        )
    return intent, charge
