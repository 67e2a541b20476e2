"""Disputes: a buyer asks their bank for the money back, and the bank takes it first and decides later.

needs_response → (evidence →) under_review → won | lost. An inquiry (warning_…) moves no money: it is answered and
closed. https://docs.stripe.com/disputes/how-disputes-work, /testing#disputes
"""

from sandbox.stripe import amounts, cards, charges, refunds, shapes
from sandbox.stripe.ledger import Ledger
from sandbox.stripe.wire import ApiError, Json, merged, public, refuse_parameter

REASONS = frozenset(
    "bank_cannot_process check_returned credit_not_processed customer_initiated debit_not_authorized duplicate "
    "fraudulent general incorrect_account_details insufficient_funds noncompliant product_not_received "
    "product_unacceptable subscription_canceled unrecognized".split()
)
OPEN = ("needs_response", "under_review", "warning_needs_response", "warning_under_review")
REVIEWED = {"needs_response": "under_review", "warning_needs_response": "warning_under_review"}
# Published test values of `evidence[uncategorized_text]`.
VERDICTS = {"winning_evidence": "won", "losing_evidence": "lost"}


def open_by_card(ledger: Ledger, charge: Json) -> None:
    """Some test cards are disputed the moment their money is taken."""
    card = cards.card_of(ledger.find("payment_method", charge["payment_method"]))
    if card.disputed:
        _open(ledger, charge, charge["amount_captured"], card.disputed, inquiry=card.inquiry)


def open_by_hand(ledger: Ledger, params: Json, intent_id: str) -> Json:
    """As if the buyer had called their bank. `reason`, `amount` and `inquiry` may be given."""
    intent = ledger.find("payment_intent", intent_id)
    if intent["status"] != "succeeded":
        raise ApiError(400, f"Only a payment that was taken can be disputed; this one is {intent['status']}.")
    charge = ledger.find("charge", intent["latest_charge"])
    if any(dispute["status"] in OPEN for dispute in ledger.all("dispute", charge=charge["id"])):
        raise ApiError(400, "This payment has an open dispute already.")
    if (reason := params.get("reason") or "fraudulent") not in REASONS:
        refuse_parameter("reason", None, f"Invalid reason: must be one of {', '.join(sorted(REASONS))}")
    amount = amounts.part_of(
        params, "amount", charge["amount_captured"], charge["currency"], "Only {most} was taken, not {amount}."
    )
    return _open(ledger, charge, amount, reason, inquiry=params.get("inquiry") == "true")


def retrieve(ledger: Ledger, params: Json, dispute_id: str) -> Json:
    return ledger.find("dispute", dispute_id)


def list_all(ledger: Ledger, params: Json) -> Json:
    return ledger.list_page("dispute", params, "/v1/disputes")


def update(ledger: Ledger, params: Json, dispute_id: str) -> Json:
    """Evidence is submitted to the bank unless `submit` is false; Stripe's test values decide at once."""
    dispute = ledger.find("dispute", dispute_id)
    evidence = params.get("evidence") or {}
    if evidence:
        _require_open(dispute, "updated")
    before = {name: dispute[name] for name in ("metadata", "status")}
    dispute["metadata"] = merged(dispute["metadata"], params.get("metadata"))
    dispute["evidence"] |= evidence
    dispute["evidence_details"]["has_evidence"] |= bool(evidence)
    if evidence and params.get("submit") != "false":
        _submit(dispute)
    ledger.save(dispute)
    ledger.tell("charge.dispute.updated", dispute, before)
    if dispute["status"] == "under_review" and (verdict := VERDICTS.get(evidence.get("uncategorized_text", ""))):
        return _decide(ledger, dispute, verdict)
    return dispute


def close(ledger: Ledger, params: Json, dispute_id: str) -> Json:
    """The shop gives in: lost. An inquiry took no money, it only ends."""
    dispute = ledger.find("dispute", dispute_id)
    _require_open(dispute, "closed")
    return _decide(ledger, dispute, "warning_closed" if _is_inquiry(dispute) else "lost")


def decide(ledger: Ledger, dispute_id: str, verdict: str) -> Json:
    """What the buyer's bank says in the end: won or lost, for the shop. The bank drops an inquiry it lost."""
    dispute = ledger.find("dispute", dispute_id)
    _require_open(dispute, "decided")
    return _decide(ledger, dispute, "warning_closed" if _is_inquiry(dispute) else verdict)


def _open(ledger: Ledger, charge: Json, amount: int, reason: str, *, inquiry: bool) -> Json:
    dispute = shapes.dispute(ledger.now, charge, amount, reason, inquiry=inquiry)
    charges.dispute(ledger, charge)
    if not inquiry:
        refunds.fail_pending(ledger, charge["id"])
        dispute["balance_transactions"] = [shapes.dispute_money(ledger.now, dispute, -amount)]
    ledger.save(dispute)
    ledger.tell("charge.dispute.created", dispute)
    if not inquiry:
        ledger.tell("charge.dispute.funds_withdrawn", dispute)
    return dispute


def _decide(ledger: Ledger, dispute: Json, verdict: str) -> Json:
    before = {"status": dispute["status"]}
    dispute |= {"status": verdict, "is_charge_refundable": verdict != "lost"}
    if verdict == "won":
        dispute["balance_transactions"].append(shapes.dispute_money(ledger.now, dispute, dispute["amount"]))
    ledger.save(dispute)
    ledger.tell("charge.dispute.closed", dispute, before)
    if verdict == "won":
        ledger.tell("charge.dispute.funds_reinstated", dispute)
    return dispute


def _submit(dispute: Json) -> None:
    dispute["status"] = REVIEWED.get(dispute["status"], dispute["status"])
    details = dispute["evidence_details"]
    details |= {"submission_count": details["submission_count"] + 1, "submission_method": "manual"}


def _is_inquiry(dispute: Json) -> bool:
    return str(dispute["status"]).startswith("warning_")


def _require_open(dispute: Json, done: str) -> None:
    if dispute["status"] not in OPEN:
        raise ApiError(
            400, f"This dispute cannot be {done}: it is {dispute['status']}.", dispute=public(dispute), param="dispute"
        )
