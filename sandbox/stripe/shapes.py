"""Stripe's objects as new ones look on the wire, with every field that the SDK's classes declare."""

import secrets

from sandbox.stripe.wire import Json, new_id

API_VERSION = "2026-10-28.endive"
AUTHORISATION_LASTS = 7 * 24 * 3600

INTENT_BLANKS = (
    "allowed_payment_method_types application application_fee_amount automatic_payment_methods canceled_at "
    "cancellation_reason customer customer_account description excluded_payment_method_types hooks "
    "last_payment_error latest_charge managed_payments next_action on_behalf_of payment_details payment_method "
    "payment_method_configuration_details payment_record presentment_details processing receipt_email review "
    "setup_future_usage shipping source statement_descriptor statement_descriptor_suffix transfer_data transfer_group"
).split()
CHARGE_BLANKS = (
    "application application_fee application_fee_amount authorization_code balance_transaction "
    "calculated_statement_descriptor customer description failure_balance_transaction failure_code "
    "failure_message level3 on_behalf_of outcome presentment_details radar_options receipt_email receipt_number "
    "receipt_url refunds review shipping source source_transfer statement_descriptor statement_descriptor_suffix "
    "transfer transfer_data transfer_group"
).split()
REFUND_BLANKS = (
    "balance_transaction customer customer_account description destination_details failure_balance_transaction "
    "failure_reason instructions_email next_action payment_method pending_reason presentment_details reason "
    "receipt_number source_transfer_reversal transfer_reversal"
).split()
# What a publishable key with the right client secret gets to see.
CLIENT_FIELDS = (
    "id object amount amount_details automatic_payment_methods canceled_at cancellation_reason capture_method "
    "client_secret confirmation_method created currency description last_payment_error livemode next_action "
    "payment_method payment_method_types processing receipt_email setup_future_usage shipping source status"
).split()


def intent(now: int, amount: int, currency: str) -> Json:
    id = new_id("pi")
    return {
        **dict.fromkeys(INTENT_BLANKS),
        "id": id,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "capture_method": "automatic_async",
        "client_secret": f"{id}_secret_{secrets.token_hex(12)}",
        "confirmation_method": "automatic",
        "created": now,
        "currency": currency,
        "livemode": False,
        "metadata": {},
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "status": "requires_payment_method",
    }


def charge(now: int, intent: Json, method: Json) -> Json:
    return {
        **dict.fromkeys(CHARGE_BLANKS),
        "id": new_id("ch"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "billing_details": method["billing_details"],
        "captured": False,
        "created": now,
        "currency": intent["currency"],
        "description": intent["description"],
        "disputed": False,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {
            "type": "card",
            "card": method["card"] | {"capture_before": now + AUTHORISATION_LASTS},
        },
        "receipt_email": intent["receipt_email"],
        "refunded": False,
        "status": "pending",
    }


def refund(now: int, intent: Json, amount: int, fields: Json) -> Json:
    return {
        **dict.fromkeys(REFUND_BLANKS),
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "charge": intent["latest_charge"],
        "created": now,
        "currency": intent["currency"],
        "metadata": {},
        "payment_intent": intent["id"],
        "status": "succeeded",
        **fields,
    }


def event(now: int, type: str, thing: Json, *, request: Json, pending_webhooks: int) -> Json:
    return {
        "id": new_id("evt"),
        "object": "event",
        "account": None,
        "api_version": API_VERSION,
        "context": None,
        "created": now,
        "data": {"object": thing},
        "livemode": False,
        "pending_webhooks": pending_webhooks,
        "request": request,
        "type": type,
    }


def for_client(thing: Json) -> Json:
    if thing.get("object") != "payment_intent":
        return thing
    return {name: thing[name] for name in CLIENT_FIELDS if name in thing}
