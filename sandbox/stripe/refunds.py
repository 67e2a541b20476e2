"""Refunds: never more than was taken and not yet given back."""

from sandbox.stripe import amounts, charges, shapes
from sandbox.stripe.ledger import Ledger
from sandbox.stripe.wire import ApiError, Json, refuse_parameter

REASONS = ("duplicate", "fraudulent", "requested_by_customer")


def create(ledger: Ledger, params: Json) -> Json:
    intent, charge = _paid(ledger, params)
    reason = params.get("reason") or None
    if reason not in (None, *REASONS):
        refuse_parameter("reason", None, f"Invalid reason: must be one of {', '.join(REASONS)}")
    left = charge["amount_captured"] - charge["amount_refunded"]
    if left <= 0:
        raise ApiError(400, f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    amount = amounts.part_of(
        params, "amount", left, "Refund amount ({amount}) is greater than unrefunded amount on charge ({most})"
    )
    refund = shapes.refund(ledger.now, intent, amount, {"reason": reason})
    refund["metadata"] = params.get("metadata") or {}
    ledger.save(refund)
    ledger.tell("refund.created", refund)
    charges.give_back(ledger, charge, amount)
    return refund


def retrieve(ledger: Ledger, params: Json, refund_id: str) -> Json:
    return ledger.find("refund", refund_id)


def list_all(ledger: Ledger, params: Json) -> Json:
    return ledger.list_page("refund", params, "/v1/refunds")


def _paid(ledger: Ledger, params: Json) -> tuple[Json, Json]:
    """The intent and charge that the refund names by either id; a 400 when no money was taken."""
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
    return intent, ledger.find("charge", intent["latest_charge"])
