"""What the bank was asked and answered: one charge per attempt to take money."""

from sandbox.stripe import cards, shapes
from sandbox.stripe.ledger import Ledger
from sandbox.stripe.wire import Json, public


def retrieve(ledger: Ledger, params: Json, charge_id: str) -> Json:
    return ledger.find("charge", charge_id)


def list_all(ledger: Ledger, params: Json) -> Json:
    return ledger.list_page("charge", params, "/v1/charges")


def attempt(ledger: Ledger, intent: Json, method: Json) -> tuple[Json, Json | None]:
    """Try the card: the charge, and the error when the bank said no."""
    charge = shapes.charge(ledger.now, intent, method)
    card = cards.card_of(method)
    if card.code:
        error = cards.decline(card, charge=charge["id"], method=public(method))
        _fail(ledger, charge, error)
        return charge, error
    _approve(charge)
    if intent["capture_method"] != "manual":
        charge |= {"captured": True, "amount_captured": charge["amount"]}
    ledger.save(charge)
    ledger.tell("charge.succeeded", charge)
    return charge, None


def write_down(ledger: Ledger, intent: Json, method: Json) -> str:
    """One that was approved and captured long ago: nobody is told. Returns its id."""
    charge = shapes.charge(intent["created"], intent, method)
    _approve(charge)
    charge |= {"captured": True, "amount_captured": charge["amount"]}
    ledger.save(charge)
    return str(charge["id"])


def capture(ledger: Ledger, charge_id: str, amount: int) -> None:
    charge = ledger.find("charge", charge_id) | {"captured": True, "amount_captured": amount}
    ledger.save(charge)
    ledger.tell("charge.captured", charge)


def release(ledger: Ledger, charge_id: str, event: str) -> None:
    """Give back an authorisation that was never captured."""
    charge = ledger.find("charge", charge_id)
    charge |= {"refunded": True, "amount_refunded": charge["amount"]}
    ledger.save(charge)
    ledger.tell(event, charge)


def give_back(ledger: Ledger, charge: Json, amount: int) -> None:
    before = _count_refund(charge, amount)
    ledger.save(charge)
    ledger.tell("charge.refunded", charge, before)


def keep(ledger: Ledger, charge: Json, amount: int) -> None:
    """A refund did not happen after all: its amount can be refunded again."""
    _count_refund(charge, -amount)
    ledger.save(charge)


def dispute(ledger: Ledger, charge: Json) -> None:
    charge["disputed"] = True
    ledger.save(charge)


def outlived(ledger: Ledger, charge_id: str) -> bool:
    charge = ledger.find("charge", charge_id)
    return bool(charge["payment_method_details"]["card"]["capture_before"] <= ledger.now)


def outlive(ledger: Ledger, charge_id: str) -> None:
    charge = ledger.find("charge", charge_id)
    charge["payment_method_details"]["card"]["capture_before"] = ledger.now
    ledger.save(charge)


def _approve(charge: Json) -> None:
    charge |= {"status": "succeeded", "paid": True, "outcome": _outcome("authorized", "approved_by_network")}


def _count_refund(charge: Json, amount: int) -> Json:
    """Returns what the charge said before."""
    before = {name: charge[name] for name in ("amount_refunded", "refunded")}
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] >= charge["amount_captured"]
    return before


def _fail(ledger: Ledger, charge: Json, error: Json) -> None:
    charge |= {
        "status": "failed",
        "failure_code": error["code"],
        "failure_message": error["message"],
        "outcome": _outcome("issuer_declined", "declined_by_network", error["decline_code"]),
    }
    ledger.save(charge)
    ledger.tell("charge.failed", charge)


def _outcome(type: str, network_status: str, reason: str | None = None) -> Json:
    return {
        "type": type,
        "network_status": network_status,
        "reason": reason,
        "risk_level": "normal",
        "seller_message": "Payment complete." if type == "authorized" else "The bank did not approve it.",
    }
