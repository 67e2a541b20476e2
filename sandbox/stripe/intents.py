"""The life of a payment intent.

requires_payment_method → confirm → (requires_action → authenticate →) requires_capture → capture → succeeded.
A declined card leads back to requires_payment_method; anything not yet paid can be cancelled; an authorisation that
nobody captured within seven days is cancelled by the bank, which shows at the next look.
"""

from typing import NoReturn

from sandbox.stripe import amounts, cards, charges, disputes, shapes
from sandbox.stripe.ledger import Ledger
from sandbox.stripe.wire import ApiError, Json, merged, public, refuse_parameter

UNCONFIRMED = ("requires_payment_method", "requires_confirmation", "requires_action")
MAY_BE = {
    "updated": UNCONFIRMED,
    "confirmed": UNCONFIRMED,
    "authenticated": ("requires_action",),
    "captured": ("requires_capture",),
    "canceled": (*UNCONFIRMED, "requires_capture", "processing"),
}
CAPTURE_METHODS = ("automatic", "automatic_async", "manual")
CANCELLATION_REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")
KEPT = (
    "allowed_payment_method_types capture_method confirmation_method customer description "
    "excluded_payment_method_types receipt_email setup_future_usage shipping statement_descriptor "
    "statement_descriptor_suffix transfer_group"
).split()
NOT_AUTHENTICATED = {
    "type": "invalid_request_error",
    "code": "payment_intent_authentication_failure",
    "message": "The provided PaymentMethod has failed authentication. You can provide payment_method_data or a new "
    "PaymentMethod to attempt to fulfill this PaymentIntent again.",
}


def create(ledger: Ledger, params: Json) -> Json:
    amount, currency = amounts.chargeable(params.get("amount"), params.get("currency"))
    intent = shapes.intent(ledger.now, amount, currency)
    _apply(intent, params)
    _attach(ledger, intent, params)
    ledger.save(intent)
    ledger.tell("payment_intent.created", intent)
    if params.get("confirm") == "true":
        return _confirm(ledger, intent)
    return intent


def retrieve(ledger: Ledger, params: Json, intent_id: str) -> Json:
    return _fresh(ledger, ledger.find("payment_intent", intent_id))


def list_all(ledger: Ledger, params: Json) -> Json:
    return ledger.list_page(
        "payment_intent", params, "/v1/payment_intents", freshen=lambda intent: _fresh(ledger, intent)
    )


def update(ledger: Ledger, params: Json, intent_id: str) -> Json:
    """Metadata may change at any time; money only before the intent is confirmed."""
    intent = retrieve(ledger, params, intent_id)
    if set(params) - {"metadata", "description", "receipt_email", "expand"}:
        _require(intent, "updated")
    if "amount" in params or "currency" in params:
        intent["amount"], intent["currency"] = amounts.chargeable(
            params.get("amount", str(intent["amount"])), params.get("currency", intent["currency"])
        )
    _apply(intent, params)
    _attach(ledger, intent, params)
    ledger.save(intent)
    return intent


def confirm(ledger: Ledger, params: Json, intent_id: str) -> Json:
    intent = retrieve(ledger, params, intent_id)
    _require(intent, "confirmed")
    _apply(intent, params)
    _attach(ledger, intent, params)
    return _confirm(ledger, intent)


def authenticate(ledger: Ledger, params: Json, intent_id: str) -> Json:
    """The sandbox's own endpoint: what the bank's 3-D Secure page reports, `outcome` being success or failure."""
    intent = retrieve(ledger, params, intent_id)
    _require(intent, "authenticated")
    intent["next_action"] = None
    method = ledger.find("payment_method", intent["payment_method"])
    if params.get("outcome") == "success":
        return _charge(ledger, intent, method)
    intent |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "last_payment_error": NOT_AUTHENTICATED | {"payment_method": public(method)},
    }
    ledger.save(intent)
    ledger.tell("payment_intent.payment_failed", intent)
    return intent


def capture(ledger: Ledger, params: Json, intent_id: str) -> Json:
    intent = retrieve(ledger, params, intent_id)
    _require(intent, "captured")
    amount = amounts.part_of(
        params,
        "amount_to_capture",
        intent["amount_capturable"],
        intent["currency"],
        "The requested capture amount ({amount}) is greater than the amount you can capture ({most}).",
    )
    intent["metadata"] = merged(intent["metadata"], params.get("metadata"))
    charges.capture(ledger, intent["latest_charge"], amount)
    return _succeed(ledger, intent, amount)


def cancel(ledger: Ledger, params: Json, intent_id: str) -> Json:
    intent = retrieve(ledger, params, intent_id)
    reason = params.get("cancellation_reason") or None
    if reason not in (None, *CANCELLATION_REASONS):
        allowed = ", ".join(CANCELLATION_REASONS)
        refuse_parameter("cancellation_reason", None, f"Invalid cancellation_reason: must be one of {allowed}")
    _require(intent, "canceled")
    if intent["status"] == "requires_capture":
        charges.release(ledger, intent["latest_charge"], "charge.refunded")
    return _end(ledger, intent, reason)


def expire_authorisation(ledger: Ledger, intent_id: str) -> Json:
    """As if the seven days were over."""
    intent = retrieve(ledger, {}, intent_id)
    _require(intent, "captured")
    charges.outlive(ledger, intent["latest_charge"])
    return _fresh(ledger, intent)


def _confirm(ledger: Ledger, intent: Json) -> Json:
    if not intent["payment_method"]:
        raise ApiError(
            400,
            "You cannot confirm this PaymentIntent because it's missing a payment method.",
            code="payment_intent_unexpected_state",
            payment_intent=public(intent),
        )
    method = ledger.find("payment_method", intent["payment_method"])
    if not cards.card_of(method).authenticate:
        return _charge(ledger, intent, method)
    intent |= {
        "status": "requires_action",
        "last_payment_error": None,
        "next_action": {
            "type": "use_stripe_sdk",
            "use_stripe_sdk": {"type": "three_d_secure_redirect", "source": method["id"]},
        },
    }
    ledger.save(intent)
    ledger.tell("payment_intent.requires_action", intent)
    return intent


def _charge(ledger: Ledger, intent: Json, method: Json) -> Json:
    """Ask the bank: a declined card is a 402 that leaves the intent ready for another try."""
    charge, error = charges.attempt(ledger, intent, method)
    intent |= {"latest_charge": charge["id"], "next_action": None, "last_payment_error": error}
    if error:
        intent |= {"status": "requires_payment_method", "payment_method": None}
        ledger.save(intent)
        ledger.tell("payment_intent.payment_failed", intent)
        raise ApiError(402, **error, payment_intent=public(intent))
    if charge["captured"]:
        return _succeed(ledger, intent, intent["amount"])
    intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
    ledger.save(intent)
    ledger.tell("payment_intent.amount_capturable_updated", intent)
    return intent


def _succeed(ledger: Ledger, intent: Json, amount: int) -> Json:
    intent |= {"status": "succeeded", "amount_received": amount, "amount_capturable": 0}
    ledger.save(intent)
    ledger.tell("payment_intent.succeeded", intent)
    disputes.open_by_card(ledger, ledger.find("charge", intent["latest_charge"]))
    return intent


def _end(ledger: Ledger, intent: Json, reason: str | None) -> Json:
    intent |= {
        "status": "canceled",
        "amount_capturable": 0,
        "next_action": None,
        "canceled_at": ledger.now,
        "cancellation_reason": reason,
    }
    ledger.save(intent)
    ledger.tell("payment_intent.canceled", intent)
    return intent


def _fresh(ledger: Ledger, intent: Json) -> Json:
    """The intent as it stands now: an authorisation past its seven days has died in the meantime."""
    if intent["status"] != "requires_capture" or not charges.outlived(ledger, intent["latest_charge"]):
        return intent
    charges.release(ledger, intent["latest_charge"], "charge.expired")
    return _end(ledger, intent, "automatic")


def _attach(ledger: Ledger, intent: Json, params: Json) -> None:
    """Take the card that the call names or describes, if any."""
    method: Json | None = None
    if alias := params.get("payment_method"):
        method = ledger.store.get(alias, "payment_method") or cards.method_from_alias(alias, ledger.now)
    elif data := params.get("payment_method_data"):
        method = cards.method_from_data(data, ledger.now)
    if method:
        ledger.save(method)
        intent |= {
            "payment_method": method["id"],
            "status": "requires_confirmation",
            "next_action": None,
        }


def _require(intent: Json, done: str) -> None:
    if intent["status"] not in MAY_BE[done]:
        _refuse_state(intent, done)


def _refuse_state(intent: Json, done: str) -> NoReturn:
    raise ApiError(
        400,
        f"This PaymentIntent could not be {done} because it has a status of {intent['status']}. Only a PaymentIntent "
        f"with one of the following statuses may be {done}: {', '.join(MAY_BE[done])}.",
        code="payment_intent_unexpected_state",
        payment_intent=public(intent),
    )


def _apply(intent: Json, params: Json) -> None:
    """Take over the fields that a call may set."""
    if (method := params.get("capture_method", "manual")) not in CAPTURE_METHODS:
        allowed = ", ".join(CAPTURE_METHODS)
        refuse_parameter("capture_method", None, f"Invalid capture_method ({method}): must be one of {allowed}")
    intent |= {name: params[name] or None for name in KEPT if name in params}
    intent["metadata"] = merged(intent["metadata"], params.get("metadata"))
    types = intent["allowed_payment_method_types"]
    intent["payment_method_types"] = types or ["card"]
    intent["automatic_payment_methods"] = None if types else {"enabled": True, "allow_redirects": "always"}
