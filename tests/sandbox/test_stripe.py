"""The Stripe stand-in, driven over HTTP by the real SDK, as the shop drives it."""

import asyncio
import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import stripe
from stripe import WebhookSignature

from sandbox.stripe import intents
from sandbox.stripe.machine import Machine
from tests.sandbox.paying import ASKS, DECLINED, OK, authorised, create, paid, refusal_of
from tests.sandbox.running import SECRET_KEY, WEBHOOK_SECRET, Sandbox, Shop, eventually


async def test_an_authorised_payment_is_captured_when_the_shop_says_so(sandbox: Sandbox) -> None:
    payments = sandbox.stripe().v1.payment_intents
    intent = await create(sandbox, metadata={"checkout": "c1"})
    assert (intent.status, intent.amount, intent.currency) == ("requires_payment_method", 8400, "eur")
    assert intent.metadata["checkout"] == "c1"

    intent = await payments.confirm_async(intent.id, {"payment_method": OK})
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("requires_capture", 8400, 0)

    intent = await payments.capture_async(intent.id, {"expand": ["latest_charge"]})
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("succeeded", 0, 8400)
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert intent.latest_charge.captured
    assert intent.latest_charge.amount_captured == 8400


async def test_objects_have_every_field_that_the_sdk_declares(sandbox: Sandbox) -> None:
    client = sandbox.stripe().v1
    intent = await paid(sandbox)
    refund = await client.refunds.create_async({"payment_intent": intent.id, "amount": 100})
    charge = await client.charges.retrieve_async(str(intent.latest_charge))
    event = (await client.events.list_async({"limit": 1})).data[0]
    for thing in (intent, refund, charge, event):
        declared = set(type(thing).__annotations__) - {"OBJECT_NAME"}
        assert not declared - set(thing.to_dict()), type(thing).__name__


async def test_a_declined_card_leaves_the_same_intent_ready_for_another(sandbox: Sandbox) -> None:
    payments = sandbox.stripe().v1.payment_intents
    intent = await create(sandbox)
    with pytest.raises(stripe.CardError) as refusal:
        await payments.confirm_async(intent.id, {"payment_method": "pm_card_chargeDeclinedInsufficientFunds"})
    assert refusal.value.http_status == 402
    assert refusal.value.code == "card_declined"
    assert refusal.value.error is not None
    assert refusal.value.error.decline_code == "insufficient_funds"
    assert refusal.value.error.payment_intent is not None
    assert refusal.value.error.payment_intent.status == "requires_payment_method"

    intent = await payments.retrieve_async(intent.id)
    assert intent.last_payment_error is not None
    assert intent.last_payment_error.decline_code == "insufficient_funds"
    intent = await payments.confirm_async(intent.id, {"payment_method": OK})
    assert intent.status == "requires_capture"
    assert intent.last_payment_error is None


async def test_the_bank_says_no_then_yes(sandbox: Sandbox) -> None:
    payments = sandbox.stripe().v1.payment_intents
    intent = await create(sandbox)
    secret = str(intent.client_secret)
    await payments.confirm_async(intent.id, {"payment_method": ASKS})

    denied = sandbox.as_page(f"{intent.id}/authenticate", client_secret=secret, outcome="failure").json()
    assert denied["status"] == "requires_payment_method"
    assert denied["last_payment_error"]["code"] == "payment_intent_authentication_failure"

    intent = await payments.confirm_async(intent.id, {"payment_method": ASKS})
    assert intent.status == "requires_action"
    approved = sandbox.as_page(f"{intent.id}/authenticate", client_secret=secret, outcome="success").json()
    assert approved["status"] == "requires_capture"


async def test_an_approved_card_may_still_be_declined(sandbox: Sandbox) -> None:
    intent = await create(sandbox)
    pay = {"client_secret": str(intent.client_secret), "payment_method_data[type]": "card"}
    first = sandbox.as_page(f"{intent.id}/confirm", **pay, **{"payment_method_data[card][number]": "4000008400001629"})
    assert first.json()["status"] == "requires_action"
    answer = sandbox.as_page(f"{intent.id}/authenticate", client_secret=str(intent.client_secret), outcome="success")
    assert (answer.status_code, answer.json()["error"]["code"]) == (402, "card_declined")


async def test_only_published_test_cards_work(sandbox: Sandbox) -> None:
    intent = await create(sandbox)
    fields = {"client_secret": str(intent.client_secret), "payment_method_data[type]": "card"}
    answer = sandbox.as_page(
        f"{intent.id}/confirm", **fields, **{"payment_method_data[card][number]": "4111111111111111"}
    )
    assert answer.status_code == 402
    assert "published test cards" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("wish", "code", "param"),
    [
        ({"amout": 5}, "parameter_unknown", "amout"),
        ({"shipping": {"name": "A", "adress": "B"}}, "parameter_unknown", "shipping[adress]"),
        ({"amount": "ten"}, "parameter_invalid_integer", "amount"),
        ({"amount": 49}, "amount_too_small", "amount"),
        ({"amount": 40, "currency": "jpy"}, "amount_too_small", "amount"),
        ({"currency": "eurodollar"}, None, "currency"),
        ({"payment_method_types": ["card"]}, "payment_method_types_no_longer_supported", "payment_method_types"),
    ],
)
async def test_a_wrong_parameter_is_a_400(sandbox: Sandbox, wish: dict[str, Any], code: str | None, param: str) -> None:
    error = await refusal_of(create(sandbox, **wish))
    assert (error.http_status, error.code, error.param) == (400, code, param)


async def test_an_older_api_version_still_takes_the_removed_parameter(sandbox: Sandbox) -> None:
    intent = await sandbox.stripe().v1.payment_intents.create_async(
        {"amount": 500, "currency": "eur", "payment_method_types": ["card"]},  # type: ignore[typeddict-unknown-key]
        {"stripe_version": "2025-09-30.clover"},
    )
    assert intent.payment_method_types == ["card"]


async def test_the_same_key_gets_the_first_answer_and_other_parameters_are_refused(sandbox: Sandbox) -> None:
    first = await create(sandbox, key="once")
    second = await create(sandbox, key="once")
    assert second.id == first.id
    assert second.last_response is not None
    assert second.last_response.headers["Idempotent-Replayed"] == "true"
    assert len(sandbox.state_now()["intents"]) == 1
    error = await refusal_of(create(sandbox, key="once", amount=9900))
    assert isinstance(error, stripe.IdempotencyError)
    assert error.http_status == 400


async def test_a_declined_confirmation_is_replayed_too(sandbox: Sandbox) -> None:
    payments = sandbox.stripe().v1.payment_intents
    intent = await create(sandbox)
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            await payments.confirm_async(intent.id, {"payment_method": DECLINED}, {"idempotency_key": "try 1"})
    assert len((await sandbox.stripe().v1.charges.list_async({"payment_intent": intent.id})).data) == 1


async def test_an_invalid_request_leaves_its_key_free(sandbox: Sandbox) -> None:
    await refusal_of(create(sandbox, key="retry", amount=1))
    assert (await create(sandbox, key="retry", amount=8400)).amount == 8400


async def test_a_page_needs_the_client_secret_of_its_own_payment(sandbox: Sandbox) -> None:
    mine, other = await create(sandbox), await create(sandbox)
    wrong = sandbox.as_page(f"{mine.id}/confirm", client_secret=str(other.client_secret), payment_method=OK)
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "client_secret")
    right = sandbox.as_page(f"{mine.id}/confirm", client_secret=str(mine.client_secret), payment_method=OK)
    assert right.json()["status"] == "requires_capture"
    assert "metadata" not in right.json()
    capture = sandbox.as_page(f"{mine.id}/capture", client_secret=str(mine.client_secret))
    assert (capture.status_code, capture.json()["error"]["code"]) == (401, "secret_key_required")


async def test_a_page_cannot_change_how_the_money_is_taken(sandbox: Sandbox) -> None:
    intent = await create(sandbox)
    answer = sandbox.as_page(
        f"{intent.id}/confirm",
        client_secret=str(intent.client_secret),
        payment_method=OK,
        capture_method="automatic",
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "parameter_unknown")


async def test_a_wrong_key_and_an_unknown_intent(sandbox: Sandbox) -> None:
    stranger = sandbox.stripe(key="sk_test_somebody")
    error = await refusal_of(stranger.v1.payment_intents.retrieve_async("pi_1"))
    assert isinstance(error, stripe.AuthenticationError)
    error = await refusal_of(sandbox.stripe().v1.payment_intents.retrieve_async("pi_nowhere"))
    assert (error.http_status, error.code) == (404, "resource_missing")


async def test_states_only_move_forward(sandbox: Sandbox) -> None:
    payments = sandbox.stripe().v1.payment_intents
    intent = await create(sandbox)
    assert (await refusal_of(payments.capture_async(intent.id))).code == "payment_intent_unexpected_state"
    cancelled = await payments.cancel_async(intent.id, {"cancellation_reason": "abandoned"})
    assert (cancelled.status, cancelled.cancellation_reason) == ("canceled", "abandoned")
    for again in (payments.confirm_async(intent.id, {"payment_method": OK}), payments.cancel_async(intent.id)):
        error = await refusal_of(again)
        assert error.code == "payment_intent_unexpected_state"
        assert error.error is not None
        assert error.error.payment_intent.status == "canceled"


async def test_an_authorisation_dies_after_seven_days(sandbox: Sandbox) -> None:
    payments = sandbox.stripe().v1.payment_intents
    intent = await authorised(sandbox)
    charge = await sandbox.stripe().v1.charges.retrieve_async(str(intent.latest_charge))
    assert charge.payment_method_details is not None
    assert charge.payment_method_details.card is not None
    assert charge.payment_method_details.card.capture_before == charge.created + 7 * 24 * 3600
    sandbox.post(f"intents/{intent.id}/expire_authorisation")
    assert (await refusal_of(payments.capture_async(intent.id))).code == "payment_intent_unexpected_state"
    intent = await payments.retrieve_async(intent.id)
    assert (intent.status, intent.cancellation_reason) == ("canceled", "automatic")


async def test_no_more_is_refunded_than_was_taken(sandbox: Sandbox) -> None:
    refunds = sandbox.stripe().v1.refunds
    intent = await authorised(sandbox)
    assert (await refusal_of(refunds.create_async({"payment_intent": intent.id}))).http_status == 400
    sandbox.post(f"intents/{intent.id}/capture")
    await refunds.create_async({"payment_intent": intent.id, "amount": 8000, "metadata": {"refund": "r1"}})
    too_much = await refusal_of(refunds.create_async({"payment_intent": intent.id, "amount": 401}))
    assert too_much.param == "amount"
    rest = await refunds.create_async({"payment_intent": intent.id})
    assert rest.amount == 400
    assert (await refusal_of(refunds.create_async({"payment_intent": intent.id}))).code == "charge_already_refunded"
    listed = (await refunds.list_async({"payment_intent": intent.id})).data
    assert [refund.amount for refund in listed] == [400, 8000]


async def test_lists_come_newest_first_and_in_pages(sandbox: Sandbox) -> None:
    made = [(await create(sandbox)).id for _ in range(5)]
    page = await sandbox.stripe().v1.payment_intents.list_async({"limit": 2, "created": {"gte": 1}})
    assert page.has_more
    assert [intent.id async for intent in page.auto_paging_iter()] == made[::-1]


async def test_webhooks_are_signed_and_sent_until_the_shop_says_200(sandbox: Sandbox, shop: Shop) -> None:
    shop.answers[:] = [500, 503]
    intent = await create(sandbox)
    eventually(lambda: len(shop.received) == 3, "the third attempt")
    for body, signature in shop.received:
        event = stripe.Webhook.construct_event(body, signature, WEBHOOK_SECRET, tolerance=300)
        assert (event.type, event.data.object["id"]) == ("payment_intent.created", intent.id)
        with pytest.raises(stripe.SignatureVerificationError):
            WebhookSignature.verify_header(body + b" ", signature, WEBHOOK_SECRET, 300)
    event_id = json.loads(shop.received[0][0])["id"]
    eventually(lambda: not sandbox.state_now()["webhooks"]["waiting"], "the outbox to be empty")
    assert (await sandbox.stripe().v1.events.retrieve_async(event_id)).pending_webhooks == 0


async def test_each_attempt_is_signed_anew(tmp_path: Path, shop: Shop) -> None:
    shop.received.clear()
    shop.answers[:] = [500]
    seconds = count(1_800_000_000)
    machine = Machine(
        tmp_path,
        secret_key=SECRET_KEY,
        publishable_key="",
        webhook_url=shop.url,
        webhook_secret=WEBHOOK_SECRET,
        clock=lambda: next(seconds),
    )
    with machine.ledger() as ledger:
        intents.create(ledger, {"amount": "500", "currency": "eur"})
    courier = asyncio.create_task(machine.courier.run())
    async with asyncio.timeout(8):
        while machine.outbox.waiting():  # noqa: ASYNC110 - the outbox is a table, not an event
            await asyncio.sleep(0.01)
    courier.cancel()
    (first, first_signature), (second, second_signature) = shop.received
    assert first == second
    assert first_signature != second_signature


async def test_webhooks_can_be_lost_doubled_held_and_reversed(sandbox: Sandbox, shop: Shop) -> None:
    def switch(mode: str) -> dict[str, Any]:
        return sandbox.post("faults", op="webhooks", mode=mode)

    switch("drop")
    intent = await create(sandbox)
    switch("duplicate")
    await create(sandbox)
    eventually(lambda: len(shop.received) == 2, "both copies")
    assert shop.received[0][0] == shop.received[1][0]
    assert intent.id.encode() not in shop.received[0][0]

    shop.received.clear()
    switch("hold")
    await sandbox.stripe().v1.payment_intents.confirm_async(intent.id, {"payment_method": OK})
    await sandbox.stripe().v1.payment_intents.capture_async(intent.id)
    assert not shop.received
    assert switch("reverse")["released"] == 4
    assert shop.types() == [
        "payment_intent.succeeded",
        "charge.captured",
        "payment_intent.amount_capturable_updated",
        "charge.succeeded",
    ]


async def test_a_killed_sandbox_remembers_what_it_answered_and_what_it_owes(tmp_path: Path, shop: Shop) -> None:
    shop.received.clear()
    sandbox = Sandbox(tmp_path / "state", shop.url)
    sandbox.start()
    try:
        sandbox.post("faults", op="webhooks", mode="hold")
        intent = await authorised(sandbox, key="before")
        sandbox.kill()
        sandbox.start()
        assert (await create(sandbox, key="before")).id == intent.id
        again = await sandbox.stripe().v1.payment_intents.retrieve_async(intent.id)
        assert again.status == "requires_capture"
        assert sandbox.post("faults", op="webhooks", mode="release")["released"] == 3
        assert "payment_intent.amount_capturable_updated" in shop.types()
    finally:
        sandbox.kill()


async def test_an_answer_can_be_lost_after_the_money_moved(sandbox: Sandbox) -> None:
    payments = sandbox.stripe().v1.payment_intents
    intent = await authorised(sandbox)
    sandbox.post("faults", op="payment_intents.capture", mode="drop_after")
    with pytest.raises(stripe.APIConnectionError):
        await payments.capture_async(intent.id, {}, {"idempotency_key": "capture"})
    assert (await payments.retrieve_async(intent.id)).status == "succeeded"
    replay = await payments.capture_async(intent.id, {}, {"idempotency_key": "capture"})
    assert replay.status == "succeeded"


async def test_a_call_can_fail_before_anything_happened(sandbox: Sandbox) -> None:
    payments = sandbox.stripe().v1.payment_intents
    intent = await authorised(sandbox)
    for mode, error in (
        ("drop_before", stripe.APIConnectionError),
        ("429", stripe.RateLimitError),
        ("500_before", stripe.APIError),
    ):
        sandbox.post("faults", op="payment_intents.capture", mode=mode)
        with pytest.raises(error):
            await payments.capture_async(intent.id)
        assert (await payments.retrieve_async(intent.id)).status == "requires_capture"


async def test_a_500_is_what_its_key_gets_for_ever(sandbox: Sandbox) -> None:
    payments = sandbox.stripe().v1.payment_intents
    intent = await authorised(sandbox)
    sandbox.post("faults", op="payment_intents.capture", mode="500_after")
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            await payments.capture_async(intent.id, {}, {"idempotency_key": "stuck"})
    assert (await payments.retrieve_async(intent.id)).status == "succeeded"


async def test_a_hanging_call_keeps_its_key_busy(sandbox: Sandbox) -> None:
    impatient = sandbox.stripe(timeout=0.3).v1.payment_intents
    intent = await authorised(sandbox)
    sandbox.post("faults", op="payment_intents.capture", mode="hang", seconds=1)
    with pytest.raises(stripe.APIConnectionError):
        await impatient.capture_async(intent.id, {}, {"idempotency_key": "slow"})
    busy: Any = await refusal_of(impatient.capture_async(intent.id, {}, {"idempotency_key": "slow"}))
    assert busy.http_status == 409
    assert busy.json_body["error"]["code"] == "idempotency_key_in_use"
    assert isinstance(busy, stripe.APIError), "the SDK keeps IdempotencyError for 400"


async def test_the_state_shows_calls_but_no_secrets(sandbox: Sandbox) -> None:
    intent = await authorised(sandbox, key="k")
    state = sandbox.state_now()
    assert [call["op"] for call in state["calls"]] == ["payment_intents.create", "payment_intents.confirm"]
    assert state["calls"][0]["idempotency_key"] == "k"
    assert state["intents"][0]["id"] == intent.id
    assert str(intent.client_secret) not in json.dumps(state)
    assert SECRET_KEY not in json.dumps(state)


def test_another_site_cannot_press_the_switches(sandbox: Sandbox) -> None:
    answer = sandbox.http.post(f"{sandbox.url}/_sandbox/reset", headers={"Origin": "https://elsewhere.example"})
    assert answer.status_code == 403
