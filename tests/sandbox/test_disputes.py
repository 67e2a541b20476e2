"""Disputes as the stand-in makes them: opened by a card or by hand, answered, decided, and told."""

import pytest

from tests.sandbox.paying import authorised, charge_of, events_since, last_event, paid, refusal_of
from tests.sandbox.running import Sandbox

DISPUTED = "pm_card_createDispute"


async def test_the_disputed_card_is_disputed_once_its_money_is_taken(sandbox: Sandbox) -> None:
    stripe = sandbox.stripe().v1
    intent = await authorised(sandbox, card=DISPUTED)
    assert (await stripe.disputes.list_async({"payment_intent": intent.id})).data == []
    mark = await last_event(sandbox)
    await stripe.payment_intents.capture_async(intent.id)
    (dispute,) = (await stripe.disputes.list_async({"payment_intent": intent.id})).data
    assert (dispute.status, dispute.reason, dispute.amount) == ("needs_response", "fraudulent", 8400)
    assert (dispute.charge, dispute.is_charge_refundable) == (intent.latest_charge, False)
    assert [money.amount for money in dispute.balance_transactions] == [-8400]
    assert (await charge_of(sandbox, intent)).disputed
    assert await events_since(sandbox, mark) == [
        "charge.captured",
        "payment_intent.succeeded",
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
    ]


async def test_a_disputed_payment_cannot_be_refunded_as_well(sandbox: Sandbox) -> None:
    intent = await paid(sandbox, card=DISPUTED)
    error = await refusal_of(sandbox.stripe().v1.refunds.create_async({"payment_intent": intent.id}))
    assert error.code == "charge_disputed"


async def test_a_dispute_opened_by_hand_overtakes_refunds_that_are_not_through(sandbox: Sandbox) -> None:
    stripe = sandbox.stripe().v1
    intent = await paid(sandbox, card="pm_card_pendingRefund")
    refund = await stripe.refunds.create_async({"payment_intent": intent.id, "amount": 500})
    opened = sandbox.post(f"intents/{intent.id}/dispute", reason="product_not_received", amount=4000)
    assert (opened["reason"], opened["amount"]) == ("product_not_received", 4000)
    refund = await stripe.refunds.retrieve_async(refund.id)
    assert (refund.status, refund.failure_reason) == ("failed", "charge_for_pending_refund_disputed")
    assert sandbox.try_post(f"intents/{intent.id}/dispute").status_code == 400, "one open dispute at a time"


async def test_only_taken_money_can_be_disputed(sandbox: Sandbox) -> None:
    intent = await authorised(sandbox)
    assert sandbox.try_post(f"intents/{intent.id}/dispute").status_code == 400


@pytest.mark.parametrize(
    ("verb", "status", "events"),
    [
        ("win", "won", ["charge.dispute.closed", "charge.dispute.funds_reinstated"]),
        ("lose", "lost", ["charge.dispute.closed"]),
    ],
)
async def test_the_bank_decides_a_dispute_once(sandbox: Sandbox, verb: str, status: str, events: list[str]) -> None:
    intent = await paid(sandbox, card=DISPUTED)
    (dispute,) = (await sandbox.stripe().v1.disputes.list_async({"charge": str(intent.latest_charge)})).data
    mark = await last_event(sandbox)
    sandbox.post(f"disputes/{dispute.id}/{verb}")
    dispute = await sandbox.stripe().v1.disputes.retrieve_async(dispute.id)
    assert dispute.status == status
    assert sum(money.amount for money in dispute.balance_transactions) == (0 if verb == "win" else -8400)
    assert await events_since(sandbox, mark) == events
    assert sandbox.try_post(f"disputes/{dispute.id}/{verb}").status_code == 400


async def test_closing_a_dispute_gives_in(sandbox: Sandbox) -> None:
    disputes = sandbox.stripe().v1.disputes
    await paid(sandbox, card=DISPUTED)
    (dispute,) = (await disputes.list_async()).data
    assert (await disputes.close_async(dispute.id)).status == "lost"
    assert (await refusal_of(disputes.close_async(dispute.id))).http_status == 400


async def test_evidence_is_reviewed_and_stripes_test_texts_decide(sandbox: Sandbox) -> None:
    disputes = sandbox.stripe().v1.disputes
    for text, status in (("We have logs.", "under_review"), ("winning_evidence", "won"), ("losing_evidence", "lost")):
        intent = await paid(sandbox, card=DISPUTED)
        (dispute,) = (await disputes.list_async({"payment_intent": intent.id})).data
        mark = await last_event(sandbox)
        dispute = await disputes.update_async(dispute.id, {"evidence": {"uncategorized_text": text}})
        assert (dispute.status, dispute.evidence.uncategorized_text) == (status, text)
        assert dispute.evidence_details.submission_count == 1
        assert (await events_since(sandbox, mark))[0] == "charge.dispute.updated"


async def test_evidence_can_be_kept_back(sandbox: Sandbox) -> None:
    disputes = sandbox.stripe().v1.disputes
    await paid(sandbox, card=DISPUTED)
    (dispute,) = (await disputes.list_async()).data
    dispute = await disputes.update_async(dispute.id, {"evidence": {"receipt": "file_1"}, "submit": False})
    assert (dispute.status, dispute.evidence_details.has_evidence) == ("needs_response", True)


async def test_an_inquiry_takes_no_money_and_a_refund_still_settles_it(sandbox: Sandbox) -> None:
    stripe = sandbox.stripe().v1
    intent = await paid(sandbox, card="pm_card_createDisputeInquiry")
    (dispute,) = (await stripe.disputes.list_async({"payment_intent": intent.id})).data
    assert (dispute.status, dispute.balance_transactions) == ("warning_needs_response", [])
    assert "charge.dispute.funds_withdrawn" not in await events_since(sandbox)
    assert (await stripe.refunds.create_async({"payment_intent": intent.id})).status == "succeeded"
    assert (await stripe.disputes.close_async(dispute.id)).status == "warning_closed"
