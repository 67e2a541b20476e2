"""Refunds as the stand-in makes them: their life after they were made, by Stripe's own test cards."""

import asyncio
from typing import Any

import pytest

from tests.sandbox.paying import charge_of, events_since, last_event, paid, refusal_of
from tests.sandbox.running import Sandbox

PENDING, FAILS = "pm_card_pendingRefund", "pm_card_refundFail"


async def test_a_refund_is_told_as_stripe_tells_it(sandbox: Sandbox) -> None:
    intent = await paid(sandbox)
    mark = await last_event(sandbox)
    refund = await sandbox.stripe().v1.refunds.create_async({"payment_intent": intent.id, "amount": 400})
    assert (refund.status, refund.amount, refund.payment_intent) == ("succeeded", 400, intent.id)
    assert await events_since(sandbox, mark) == ["refund.created", "charge.refunded"]
    told = (await sandbox.stripe().v1.events.list_async({"limit": 1})).data[0]
    data = told.to_dict()["data"]
    assert data["previous_attributes"] == {"amount_refunded": 0, "refunded": False}
    assert data["object"]["amount_refunded"] == 400


async def test_a_pending_refund_counts_at_once_and_succeeds_when_told_to(sandbox: Sandbox) -> None:
    refunds = sandbox.stripe().v1.refunds
    intent = await paid(sandbox, card=PENDING)
    refund = await refunds.create_async({"payment_intent": intent.id})
    assert (refund.status, refund.pending_reason) == ("pending", "processing")
    assert (await charge_of(sandbox, intent)).amount_refunded == 8400
    assert (await refusal_of(refunds.create_async({"payment_intent": intent.id}))).code == "charge_already_refunded"

    mark = await last_event(sandbox)
    assert sandbox.post(f"refunds/{refund.id}/succeed")["status"] == "succeeded"
    assert await events_since(sandbox, mark) == ["refund.updated", "charge.refund.updated"]
    assert (await refunds.retrieve_async(refund.id)).pending_reason is None


async def test_a_failed_refund_gives_its_amount_back_and_can_be_made_again(sandbox: Sandbox) -> None:
    refunds = sandbox.stripe().v1.refunds
    intent = await paid(sandbox, card=FAILS)
    first = await refunds.create_async({"payment_intent": intent.id})
    assert first.status == "succeeded"

    mark = await last_event(sandbox)
    sandbox.post(f"refunds/{first.id}/fail", reason="expired_or_canceled_card")
    failed = await refunds.retrieve_async(first.id)
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    assert await events_since(sandbox, mark) == ["refund.updated", "charge.refund.updated", "refund.failed"]
    charge = await charge_of(sandbox, intent)
    assert (charge.amount_refunded, charge.refunded) == (0, False)

    again = await refunds.create_async({"payment_intent": intent.id})
    assert (again.id != first.id, again.amount) == (True, 8400)


async def test_a_refund_cancelled_in_the_dashboard_gives_its_amount_back(sandbox: Sandbox) -> None:
    intent = await paid(sandbox, card=PENDING)
    refund = await sandbox.stripe().v1.refunds.create_async({"payment_intent": intent.id, "amount": 1000})
    cancelled = sandbox.post(f"refunds/{refund.id}/cancel")
    assert (cancelled["status"], cancelled["failure_reason"]) == ("canceled", "merchant_request")
    assert (await charge_of(sandbox, intent)).amount_refunded == 0


async def test_a_refund_that_is_over_stays_as_it_is(sandbox: Sandbox) -> None:
    intent = await paid(sandbox, card=PENDING)
    refund = await sandbox.stripe().v1.refunds.create_async({"payment_intent": intent.id})
    sandbox.post(f"refunds/{refund.id}/fail")
    for verb in ("succeed", "fail", "cancel"):
        assert sandbox.try_post(f"refunds/{refund.id}/{verb}").status_code == 400
    assert (await charge_of(sandbox, intent)).amount_refunded == 0, "given back once"


async def test_the_api_cannot_cancel_a_cards_refund(sandbox: Sandbox) -> None:
    refunds = sandbox.stripe().v1.refunds
    intent = await paid(sandbox, card=PENDING)
    refund = await refunds.create_async({"payment_intent": intent.id})
    assert (await refusal_of(refunds.cancel_async(refund.id))).http_status == 400
    assert (await refunds.retrieve_async(refund.id)).status == "pending"


async def test_a_refund_made_in_the_dashboard_has_a_reason_and_no_metadata(sandbox: Sandbox) -> None:
    intent = await paid(sandbox)
    mark = await last_event(sandbox)
    made = sandbox.post(f"intents/{intent.id}/refund", amount=1200, reason="requested_by_customer")
    assert (made["amount"], made["reason"], made["metadata"]) == (1200, "requested_by_customer", {})
    told = (await sandbox.stripe().v1.events.list_async({"ending_before": mark})).data
    assert [event.request.id if event.request else "" for event in told] == [None, None], "nobody called the API"
    assert sandbox.try_post(f"intents/{intent.id}/refund", amount=7201).status_code == 400


async def test_metadata_of_a_refund_can_be_added_changed_and_cleared(sandbox: Sandbox) -> None:
    refunds = sandbox.stripe().v1.refunds
    intent = await paid(sandbox)
    refund = await refunds.create_async({"payment_intent": intent.id, "metadata": {"a": "1", "b": "2"}})
    mark = await last_event(sandbox)
    refund = await refunds.update_async(refund.id, {"metadata": {"a": "", "c": "3"}})
    assert refund.to_dict()["metadata"] == {"b": "2", "c": "3"}
    assert await events_since(sandbox, mark) == ["refund.updated", "charge.refund.updated"]
    assert (await refunds.update_async(refund.id, {"metadata": ""})).to_dict()["metadata"] == {}
    unknown: Any = {"amount": 1}
    assert (await refusal_of(refunds.update_async(refund.id, unknown))).code == "parameter_unknown"


async def test_refunds_are_listed_by_payment_or_charge_and_in_pages(sandbox: Sandbox) -> None:
    refunds = sandbox.stripe().v1.refunds
    intent, other = await paid(sandbox), await paid(sandbox)
    mine = [(await refunds.create_async({"payment_intent": intent.id, "amount": 100})).id for _ in range(5)]
    await refunds.create_async({"payment_intent": other.id})
    wishes: list[Any] = [{"payment_intent": intent.id}, {"charge": str(intent.latest_charge)}]
    for wish in wishes:
        page = await refunds.list_async({"limit": 2, **wish})
        assert page.has_more
        assert [refund.id async for refund in page.auto_paging_iter()] == mine[::-1]
    assert len((await refunds.list_async({"created": {"gte": 1}})).data) == 6
    assert (await refunds.list_async({"created": {"lt": 1}})).data == []


async def test_refunds_made_at_once_never_exceed_what_was_taken(sandbox: Sandbox) -> None:
    refunds = sandbox.stripe().v1.refunds
    intent = await paid(sandbox)
    wishes = [refunds.create_async({"payment_intent": intent.id, "amount": 3000}) for _ in range(10)]
    outcomes = await asyncio.gather(*wishes, return_exceptions=True)
    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 2
    assert (await charge_of(sandbox, intent)).amount_refunded == 6000


@pytest.mark.parametrize("reason", ["because", "expired_uncaptured_charge"])
async def test_only_stripes_own_reasons_are_taken(sandbox: Sandbox, reason: str) -> None:
    intent = await paid(sandbox)
    error = await refusal_of(sandbox.stripe().v1.refunds.create_async({"payment_intent": intent.id, "reason": reason}))
    assert error.param == "reason"
