"""The switches that make the stand-in fail: each does what its line in the table says, to whom it says."""

import asyncio
import json
from collections.abc import Awaitable
from typing import Any

import pytest
import stripe

from sandbox.stripe.rate import Rate
from tests.sandbox.paying import OK, authorised, create, last_event, paid, refusal_of
from tests.sandbox.running import Sandbox, Shop, eventually


async def test_every_call_can_lose_its_answer_before_or_after_the_effect(sandbox: Sandbox) -> None:
    """Refunds: the one call whose repetition would cost money."""
    refunds = sandbox.stripe().v1.refunds
    intent = await paid(sandbox)
    for mode, made in (("drop_before", 0), ("500_before", 0), ("503", 0), ("drop_after", 1), ("500_after", 2)):
        sandbox.post("faults", op="refunds.create", mode=mode)
        with pytest.raises(stripe.APIError if mode.startswith("50") else stripe.APIConnectionError):
            await refunds.create_async({"payment_intent": intent.id, "amount": 100})
        assert len((await refunds.list_async({"payment_intent": intent.id})).data) == made, mode


@pytest.mark.parametrize(
    "op",
    "payment_intents.create payment_intents.retrieve payment_intents.list payment_intents.confirm "
    "payment_intents.capture payment_intents.cancel refunds.create refunds.list refunds.retrieve refunds.update "
    "disputes.list disputes.retrieve disputes.close disputes.update charges.list events.list".split(),
)
async def test_each_call_has_a_switch_of_its_own(sandbox: Sandbox, op: str) -> None:
    intent = await paid(sandbox, card="pm_card_createDispute")
    dispute = sandbox.state_now()["disputes"][0]["id"]
    client = sandbox.stripe().v1
    calls = {
        "payment_intents.create": lambda: create(sandbox),
        "payment_intents.retrieve": lambda: client.payment_intents.retrieve_async(intent.id),
        "payment_intents.list": lambda: client.payment_intents.list_async(),
        "payment_intents.confirm": lambda: client.payment_intents.confirm_async(intent.id),
        "payment_intents.capture": lambda: client.payment_intents.capture_async(intent.id),
        "payment_intents.cancel": lambda: client.payment_intents.cancel_async(intent.id),
        "refunds.create": lambda: client.refunds.create_async({"payment_intent": intent.id}),
        "refunds.list": lambda: client.refunds.list_async(),
        "refunds.retrieve": lambda: client.refunds.retrieve_async("re_1"),
        "refunds.update": lambda: client.refunds.update_async("re_1"),
        "disputes.list": lambda: client.disputes.list_async(),
        "disputes.retrieve": lambda: client.disputes.retrieve_async(dispute),
        "disputes.close": lambda: client.disputes.close_async(dispute),
        "disputes.update": lambda: client.disputes.update_async(dispute),
        "charges.list": lambda: client.charges.list_async(),
        "events.list": lambda: client.events.list_async(),
    }
    sandbox.post("faults", op=op, mode="503", times=None)
    assert [name for name, call in calls.items() if await is_unavailable(call())] == [op]


async def test_a_pattern_switches_a_family_of_calls(sandbox: Sandbox) -> None:
    sandbox.post("faults", op="disputes.*", mode="503", times=2)
    disputes = sandbox.stripe().v1.disputes
    assert (await refusal_of(disputes.list_async())).http_status == 503
    assert (await refusal_of(disputes.retrieve_async("du_1"))).http_status == 503
    assert (await refusal_of(disputes.retrieve_async("du_1"))).http_status == 404


async def test_stripe_is_down_until_it_is_taken_back(sandbox: Sandbox) -> None:
    sandbox.post("faults", op="*", mode="down")
    for _ in range(5):
        with pytest.raises(stripe.APIConnectionError):
            await create(sandbox)
    assert sandbox.state_now()["intents"] == []
    sandbox.post("faults", op="*", mode="none")
    assert (await create(sandbox)).status == "requires_payment_method"


async def test_stripe_may_come_back_by_itself(sandbox: Sandbox) -> None:
    sandbox.post("faults", op="*", mode="down", seconds=0.3)
    with pytest.raises(stripe.APIConnectionError):
        await create(sandbox)
    eventually(lambda: sandbox.state_now()["faults"] == [], "the outage to be over")
    assert (await create(sandbox)).status == "requires_payment_method"


async def test_a_fault_can_spare_the_buyers_page(sandbox: Sandbox) -> None:
    intent = await create(sandbox)
    sandbox.post("faults", op="payment_intents.confirm", mode="503", by="server", times=None)
    page = sandbox.as_page(f"{intent.id}/confirm", client_secret=str(intent.client_secret), payment_method=OK)
    assert page.json()["status"] == "requires_capture"
    confirm = sandbox.stripe().v1.payment_intents.confirm_async(intent.id, {"payment_method": OK})
    assert (await refusal_of(confirm)).http_status == 503


async def test_a_late_call_has_its_effect_after_the_caller_has_given_up(sandbox: Sandbox) -> None:
    """The nastiest loss: the answer is a timeout, nothing has happened, and then it happens."""
    intent = await authorised(sandbox)
    impatient, calm = sandbox.stripe(timeout=0.2).v1.payment_intents, sandbox.stripe().v1.payment_intents
    sandbox.post("faults", op="payment_intents.capture", mode="late", seconds=1)
    with pytest.raises(stripe.APIConnectionError):
        await impatient.capture_async(intent.id, {}, {"idempotency_key": "slow"})
    assert (await calm.retrieve_async(intent.id)).status == "requires_capture"
    busy: Any = await refusal_of(calm.capture_async(intent.id, {}, {"idempotency_key": "slow"}))
    assert busy.http_status == 409
    eventually(lambda: sandbox.state_now()["intents"][0]["status"] == "succeeded", "the effect")


async def test_a_429_looks_like_stripes(sandbox: Sandbox) -> None:
    sandbox.post("faults", op="payment_intents.create", mode="429")
    error = await refusal_of(create(sandbox, key="kept free"))
    assert (error.http_status, error.json_body["error"]["code"]) == (429, "rate_limit")
    assert error.headers["Stripe-Rate-Limited-Reason"] == "global-rate"
    assert isinstance(error, stripe.RateLimitError)
    assert (await create(sandbox, key="kept free", amount=500)).amount == 500


async def test_a_lock_is_tried_again_by_the_sdk(sandbox: Sandbox) -> None:
    sandbox.post("faults", op="payment_intents.create", mode="lock")
    error = await refusal_of(create(sandbox))
    assert (error.http_status, error.json_body["error"]["code"]) == (429, "lock_timeout")
    assert "Stripe-Rate-Limited-Reason" not in error.headers
    sandbox.post("faults", op="payment_intents.create", mode="lock")
    patient = stripe.StripeClient(
        "sk_test_sandbox_tests",
        base_addresses={"api": sandbox.url},
        http_client=stripe.HTTPXClient(),
        max_network_retries=1,
    )
    made = await patient.v1.payment_intents.create_async({"amount": 500, "currency": "eur"})
    assert made.status == "requires_payment_method"


async def test_above_the_rate_calls_are_refused_and_counted(sandbox: Sandbox) -> None:
    sandbox.post("faults", op="*", mode="rate", per_second=5)
    outcomes = await asyncio.gather(*(create(sandbox) for _ in range(12)), return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, stripe.RateLimitError)]
    assert len(refused) == 7
    rate = sandbox.state_now()["rate"]
    assert rate == {"limits": [{"op": "*", "per_second": 5}], "peak_per_second": 12, "refused": 7}
    assert len(sandbox.state_now()["intents"]) == 5
    sandbox.post("faults", op="*", mode="none")
    assert (await create(sandbox)).status == "requires_payment_method"


async def test_buyers_pages_do_not_count_against_the_shops_rate(sandbox: Sandbox) -> None:
    intent = await create(sandbox)
    sandbox.post("faults", op="*", mode="rate", per_second=1)
    assert (await sandbox.stripe().v1.payment_intents.retrieve_async(intent.id)).id == intent.id
    page = sandbox.as_page(f"{intent.id}/confirm", client_secret=str(intent.client_secret), payment_method=OK)
    assert page.status_code == 200


def test_the_window_slides_instead_of_starting_anew_each_second() -> None:
    rate = Rate()
    rate.set("*", 20)
    assert [rate.refusal("x", 0.9) for _ in range(20)] == [None] * 20
    assert rate.refusal("x", 1.1) == "global-rate", "a new second on the clock, but the same window"
    assert rate.refusal("x", 1.91) is None
    assert (rate.peak, rate.refused) == (21, 1)


def test_one_endpoint_can_have_a_limit_of_its_own() -> None:
    rate = Rate()
    rate.set("refunds.create", 1)
    assert rate.refusal("refunds.create", 0.0) is None
    assert rate.refusal("refunds.create", 0.1) == "endpoint-rate"
    assert rate.refusal("payment_intents.create", 0.1) is None


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"op": "payment_intent.create", "mode": "429"}, "payment_intents.create"),
        ({"op": "*", "mode": "explode"}, "drop_before"),
        ({"op": "*", "mode": "429", "times": "many"}, "times is a whole number"),
        ({"op": "*", "mode": "429", "time": 2}, "There is no time"),
        ({"op": "*", "mode": "rate"}, "per_second is a whole number"),
        ({"op": "webhooks", "mode": "delay"}, "duplicate"),
        ({"op": "*", "mode": "429", "by": "me"}, "server or page"),
    ],
)
def test_a_switch_that_does_not_exist_is_refused_in_words(sandbox: Sandbox, wish: dict[str, Any], said: str) -> None:
    answer = sandbox.try_post("faults", **wish)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]
    assert sandbox.state_now()["faults"] == []


async def test_an_old_notice_can_be_sent_again(sandbox: Sandbox, shop: Shop) -> None:
    await create(sandbox)
    eventually(lambda: len(shop.received) == 1, "the first delivery")
    sandbox.post(f"events/{await last_event(sandbox)}/resend")
    eventually(lambda: len(shop.received) == 2, "the second")
    first, second = (json.loads(body) for body, _ in shop.received)
    assert (first["id"], first["data"]) == (second["id"], second["data"])


def test_a_verb_that_does_not_exist_is_refused(sandbox: Sandbox) -> None:
    for path in ("intents/pi_1/explode", "payouts/po_1/pay", "refunds/re_1/lose"):
        assert sandbox.try_post(path).status_code == 400
    assert sandbox.try_post("refunds/re_nowhere/fail").status_code == 404


def test_another_site_cannot_act_in_the_dashboard(sandbox: Sandbox) -> None:
    for path in ("intents/pi_1/dispute", "refunds/re_1/fail", "disputes/du_1/lose", "faults"):
        answer = sandbox.http.post(f"{sandbox.url}/_sandbox/{path}", headers={"Origin": "https://elsewhere.example"})
        assert answer.status_code == 403


async def is_unavailable(call: Awaitable[Any]) -> bool:
    try:
        await call
    except stripe.StripeError as error:
        return error.http_status == 503
    return False
