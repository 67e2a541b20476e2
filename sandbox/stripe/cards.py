"""Stripe's published test cards: the only ones that can pay here."""

from dataclasses import dataclass

from sandbox.stripe.wire import ApiError, Json, new_id

DECLINED = "Your card was declined."


@dataclass(frozen=True)
class Card:
    number: str
    note: str
    alias: str = ""
    authenticate: bool = False
    code: str | None = None  # why the bank says no; None is a yes
    decline_code: str | None = None
    message: str = DECLINED
    refunds: str = "succeeded"  # how a refund to this card begins; a control verb says how it goes on
    disputed: str | None = None  # the reason its holder gives their bank, once the money is taken
    inquiry: bool = False  # the bank only asks: no money is withdrawn


CARDS = (
    Card("4242424242424242", "Succeeds", "pm_card_visa"),
    Card("4000002500003155", "Asks for 3-D Secure, then succeeds", "pm_card_authenticationRequired", True),
    Card("4000002760003184", "Asks for 3-D Secure every time", "pm_card_authenticationRequiredOnSetup", True),
    Card("4000000000003220", "Asks for 3-D Secure 2", "pm_card_threeDSecure2Required", True),
    Card(
        "4000008400001629",
        "Asks for 3-D Secure, then is declined",
        "pm_card_threeDSecureRequiredChargeDeclined",
        authenticate=True,
        code="card_declined",
        decline_code="generic_decline",
    ),
    Card(
        "4000000000000002",
        "Declined",
        "pm_card_chargeDeclined",
        code="card_declined",
        decline_code="generic_decline",
    ),
    Card(
        "4000000000009995",
        "Declined: insufficient funds",
        "pm_card_chargeDeclinedInsufficientFunds",
        code="card_declined",
        decline_code="insufficient_funds",
        message="Your card has insufficient funds.",
    ),
    Card(
        "4000000000009987",
        "Declined: lost card",
        "pm_card_chargeDeclinedLostCard",
        code="card_declined",
        decline_code="lost_card",
    ),
    Card(
        "4000000000000069",
        "Declined: expired card",
        "pm_card_chargeDeclinedExpiredCard",
        code="expired_card",
        decline_code="expired_card",
        message="Your card has expired.",
    ),
    Card(
        "4000000000000127",
        "Declined: incorrect security code",
        "pm_card_chargeDeclinedIncorrectCvc",
        code="incorrect_cvc",
        decline_code="incorrect_cvc",
        message="Your card's security code is incorrect.",
    ),
    Card("4000000000007726", "Succeeds; refunds stay pending", "pm_card_pendingRefund", refunds="pending"),
    Card("4000000000005126", "Succeeds; refunds may fail after all", "pm_card_refundFail"),
    Card("4000000000000259", "Succeeds, then is disputed as fraud", "pm_card_createDispute", disputed="fraudulent"),
    Card(
        "4000000000002685",
        "Succeeds, then is disputed as not received",
        "pm_card_createDisputeProductNotReceived",
        disputed="product_not_received",
    ),
    Card(
        "4000000000001976",
        "Succeeds, then the bank asks about it",
        "pm_card_createDisputeInquiry",
        disputed="fraudulent",
        inquiry=True,
    ),
)
UNPUBLISHED = Card(
    "",
    "Any other number",
    code="card_declined",
    decline_code="test_mode_live_card",
    message="Only Stripe's published test cards work here, for example 4242 4242 4242 4242. No real card can pay.",
)
BY_NUMBER = {card.number: card for card in CARDS}
BY_ALIAS = {card.alias: card for card in CARDS} | {
    card.alias.replace("pm_card_", "pm_card_visa_", 1): card for card in CARDS if "chargeDeclined" in card.alias
}


def method_from_alias(alias: str, now: int) -> Json:
    """`pm_card_visa` and its kin, for payments confirmed by a server."""
    card = BY_ALIAS.get(alias)
    if card is None:
        raise ApiError(404, f"No such PaymentMethod: '{alias}'", code="resource_missing", param="payment_method")
    return _method(card, card.number, {}, {}, now)


def method_from_data(data: Json, now: int) -> Json:
    """What Stripe.js sends from its card fields. The number of a card that is not a test card is not kept."""
    fields = data.get("card") or {}
    number = "".join(fields.get("number", "").split())
    card = BY_NUMBER.get(number, UNPUBLISHED)
    return _method(card, number, fields, data.get("billing_details") or {}, now)


def card_of(method: Json) -> Card:
    return BY_NUMBER.get(method["_number"], UNPUBLISHED)


def decline(card: Card, *, charge: str, method: Json) -> Json:
    """The error of a declined card, as it stands in last_payment_error and in the answer."""
    return {
        "type": "card_error",
        "code": card.code,
        "decline_code": card.decline_code,
        "message": card.message,
        "charge": charge,
        "payment_method": method,
    }


def _method(card: Card, number: str, fields: Json, billing: Json, now: int) -> Json:
    address = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    return {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {
            **dict.fromkeys(("email", "name", "phone", "tax_id")),
            **billing,
            "address": address | (billing.get("address") or {}),
        },
        "card": {
            "brand": "visa" if number.startswith("4") else "unknown",
            "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
            "country": "US",
            "display_brand": "visa",
            "exp_month": _whole(fields.get("exp_month"), 12),
            "exp_year": _whole(fields.get("exp_year"), 2034),
            "funding": "credit",
            "last4": number[-4:],
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        "created": now,
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": "card",
        "_number": card.number,
    }


def _whole(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() else default
