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
EVIDENCE = (
    "access_activity_log appeal billing_address cancellation_policy cancellation_policy_disclosure "
    "cancellation_rebuttal customer_communication customer_email_address customer_name customer_purchase_ip "
    "customer_signature duplicate_charge_documentation duplicate_charge_explanation duplicate_charge_id "
    "product_description receipt refund_policy refund_policy_disclosure refund_refusal_explanation service_date "
    "service_documentation shipping_address shipping_carrier shipping_date shipping_documentation "
    "shipping_tracking_number uncategorized_file uncategorized_text"
).split()
EVIDENCE_TAKEN_FOR = 9 * 24 * 3600
DISPUTE_FEE = 1500
# What a publishable key with the right client secret gets to see.
CLIENT_FIELDS = (
    "id object amount amount_details automatic_payment_methods canceled_at cancellation_reason capture_method "
    "client_secret confirmation_method created currency description last_payment_error livemode next_action "
    "payment_method payment_method_types processing receipt_email setup_future_usage shipping source status"
).split()


def intent(now: int, amount: int, currency: str, *, id: str | None = None) -> Json:
    id = id or new_id("pi")
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


def refund(now: int, intent: Json, amount: int, status: str) -> Json:
    return {
        **dict.fromkeys(REFUND_BLANKS),
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "charge": intent["latest_charge"],
        "created": now,
        "currency": intent["currency"],
        "metadata": {},
        "destination_details": {"type": "card", "card": {"reference_status": "pending", "type": "refund"}},
        "payment_intent": intent["id"],
        "pending_reason": "processing" if status == "pending" else None,
        "status": status,
    }


def dispute(now: int, charge: Json, amount: int, reason: str, *, inquiry: bool) -> Json:
    """An inquiry is a bank that asks: no money has moved, and a refund still settles it."""
    return {
        "id": new_id("du"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": dict.fromkeys(EVIDENCE) | {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": now + EVIDENCE_TAKEN_FOR,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "intended_submission_method": None,
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "network_reason_code": "10.4",
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "type": "card",
            "card": {
                "brand": "visa",
                "case_type": "inquiry" if inquiry else "chargeback",
                "network": "visa",
                "network_reason_code": "10.4",
            },
        },
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }


def dispute_money(now: int, dispute: Json, amount: int) -> Json:
    """The balance transaction by which a dispute takes money (amount below 0, plus a fee) or gives it back."""
    fee = DISPUTE_FEE if amount < 0 else 0
    return {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": now,
        "balance_type": "payments",
        "created": now,
        "currency": dispute["currency"],
        "description": f"Chargeback {'withdrawal' if amount < 0 else 'reversal'} for {dispute['charge']}",
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [],
        "net": amount - fee,
        "reporting_category": "dispute" if amount < 0 else "dispute_reversal",
        "source": dispute["id"],
        "status": "available",
        "type": "adjustment",
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
