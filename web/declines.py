"""Why a payment did not go through, in words for whoever holds the card. Codes: docs.stripe.com/declines/codes"""

from dataclasses import dataclass

from domain.payments import OurProblem


@dataclass(frozen=True, slots=True)
class Decline:
    """`reason` is a sentence; `advice` the next step."""

    reason: str
    advice: str = "Try again, or use another card."


_ANOTHER = "Use another card."
_NO_REASON = Decline("Your bank said no, and did not say why.")
_NOT_CONFIRMED = Decline(
    "Your bank could not confirm that it is you.", "Try again and approve it there, or use another card."
)
_LIMIT = Decline("The card has reached a limit set by your bank.", _ANOTHER)
_BANK_AWAY = Decline("Your bank did not answer.")

DECLINES = {
    "insufficient_funds": Decline("Your bank said no (insufficient funds)."),
    "expired_card": Decline("The card has expired.", _ANOTHER),
    "incorrect_cvc": Decline("The security code does not match the card.", "Check it and try again."),
    "invalid_cvc": Decline("The security code does not match the card.", "Check it and try again."),
    "incorrect_number": Decline("The card number is not right.", "Check it and try again."),
    "invalid_number": Decline("The card number is not right.", "Check it and try again."),
    "invalid_expiry_month": Decline("The expiry date is not right.", "Check it and try again."),
    "invalid_expiry_year": Decline("The expiry date is not right.", "Check it and try again."),
    "incorrect_zip": Decline("The postal code does not match the card.", "Check it and try again."),
    "payment_intent_authentication_failure": _NOT_CONFIRMED,
    "authentication_required": _NOT_CONFIRMED,
    "authentication_not_handled": _NOT_CONFIRMED,
    "approve_with_id": _NOT_CONFIRMED,
    "card_velocity_exceeded": _LIMIT,
    "withdrawal_count_limit_exceeded": _LIMIT,
    "card_not_supported": Decline("The card does not allow this kind of purchase.", _ANOTHER),
    "currency_not_supported": Decline("The card does not pay in this currency.", _ANOTHER),
    "processing_error": Decline("Something went wrong on the way to your bank."),
    "issuer_not_available": _BANK_AWAY,
    "try_again_later": _BANK_AWAY,
    "reenter_transaction": _BANK_AWAY,
    "test_mode_live_card": Decline("Only test cards work here; no real card can pay.", "Take one from the list below."),
}


def decline_of(code: str | None) -> Decline | None:
    """None when nobody said no. A lost or stolen card is not called so to whoever is holding it."""
    if not code or code in set(OurProblem):
        return None
    return DECLINES.get(code, _NO_REASON)
