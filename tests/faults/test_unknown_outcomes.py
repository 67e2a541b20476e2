"""Calls whose answer is lost, late or a 5xx: the outcome is unknown, so it is asked again and never guessed.

The SDK tries each call twice by itself, so a fault that we are to see happens twice.
"""

import asyncio

import pytest

from domain.errors import HoldEnded
from models import database as db
from sandbox.plan import SANDBOX_SECRET_KEY
from services import checkout, gateway, notices, reconciliation, settlement, stripe_gateway
from services.gateway import Notice, OutcomeUnknown
from services.stripe_gateway import StripeGateway
from tests.faults import scenarios
from tests.makers import (
    hold,
    hold_with_buyer,
    let_time_pass,
    let_time_run_out,
    make_event,
    start_paying,
    statuses,
)

pytestmark = pytest.mark.usefixtures("database", "stripe")


@pytest.fixture
async def impatient(stripe_url, monkeypatch, stripe):
    """The same gateway, for which 0.3 s are an eternity."""
    monkeypatch.setattr(stripe_gateway, "TIMEOUT_SECONDS", 0.3)
    ours = StripeGateway(secret_key=SANDBOX_SECRET_KEY, api_base=stripe_url, webhook_secrets=("whsec_x",))
    before = gateway.current()
    gateway.use(ours)
    yield
    gateway.use(before)
    await ours.close()


async def authorised(stripe, event=None):
    checkout_id = await hold_with_buyer(event or await make_event(capacity=1))
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    return checkout_id, intent


async def is_one_paid_order(stripe):
    charged = [i["amount_received"] for i in (await stripe.state())["intents"] if i["amount_received"]]
    assert charged == [2400], "charged once"
    assert [o["status"] for o in await db.fetch("SELECT status FROM orders")] == ["COMPLETED"]
    assert await db.fetchval("SELECT count(*) FROM ticket") == 1


async def payment_status():
    return await db.fetchval("SELECT status FROM payment ORDER BY created_at DESC LIMIT 1")


async def test_case_18_the_answer_to_create_is_lost_and_there_is_still_one_intent(stripe):
    checkout_id = await hold_with_buyer(await make_event())
    await stripe.fault(op="payment_intents.create", mode="drop_after", times=2)
    with pytest.raises(OutcomeUnknown):
        await checkout.start_payment(checkout_id)
    assert await payment_status() == "CREATING"
    intent = await start_paying(checkout_id)
    assert [i["id"] for i in (await stripe.state())["intents"]] == [intent.reference]
    await stripe.pay(intent.client_secret)
    await settlement.settle(intent.reference)
    await is_one_paid_order(stripe)


async def test_case_18_create_never_arrived_and_is_simply_made_again(stripe):
    checkout_id = await hold_with_buyer(await make_event())
    await stripe.fault(op="payment_intents.create", mode="drop_before", times=2)
    with pytest.raises(OutcomeUnknown):
        await checkout.start_payment(checkout_id)
    assert await start_paying(checkout_id)
    assert len((await stripe.state())["intents"]) == 1


@pytest.mark.parametrize("mode", ["500_before", "500_after"])
async def test_a_definite_500_on_create_would_be_replayed_so_the_next_attempt_has_a_new_key(stripe, mode):
    checkout_id = await hold_with_buyer(await make_event())
    await stripe.fault(op="payment_intents.create", mode=mode)
    with pytest.raises(OutcomeUnknown) as unknown:
        await checkout.start_payment(checkout_id)
    assert unknown.value.answered
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await settlement.settle(intent.reference)
    await is_one_paid_order(stripe)


async def test_too_many_requests_on_create_leave_the_key_usable(stripe):
    checkout_id = await hold_with_buyer(await make_event())
    await stripe.fault(op="payment_intents.create", mode="429")  # the SDK does not try these again
    with pytest.raises(OutcomeUnknown) as unknown:
        await checkout.start_payment(checkout_id)
    assert not unknown.value.answered
    assert await start_paying(checkout_id)


async def test_an_intent_that_was_never_heard_of_is_adopted_when_its_notice_comes_first(stripe):
    """Create's answer was lost, the buyer's page is waiting, and the notice of its creation arrives."""
    checkout_id = await hold_with_buyer(await make_event())
    await stripe.fault(op="payment_intents.create", mode="drop_after", times=2)
    with pytest.raises(OutcomeUnknown):
        await checkout.start_payment(checkout_id)
    (there,) = (await stripe.state())["intents"]
    await settlement.settle(there["id"])
    assert await payment_status() == "OPEN"
    assert (await start_paying(checkout_id)).reference == there["id"]


async def test_the_intent_whose_secret_the_buyer_is_given_is_the_one_that_we_know(stripe, monkeypatch):
    """A 500 that had its effect left an intent, and its notice is handled while the next attempt is under way."""
    checkout_id = await hold_with_buyer(await make_event())
    await stripe.fault(op="payment_intents.create", mode="500_after")
    with pytest.raises(OutcomeUnknown):
        await checkout.start_payment(checkout_id)
    (forgotten,) = (await stripe.state())["intents"]
    create = gateway.current().create

    async def create_while_the_notice_is_handled(**wish):
        intent = await create(**wish)
        await settlement.settle(forgotten["id"])
        return intent

    monkeypatch.setattr(gateway.current(), "create", create_while_the_notice_is_handled)
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await settlement.settle(intent.reference)
    await is_one_paid_order(stripe)


async def test_a_create_that_answers_after_the_hold_ended_gives_nobody_a_form(stripe, monkeypatch):
    event = await make_event(capacity=1)
    checkout_id = await hold_with_buyer(event)
    create = gateway.current().create

    async def slowly(**wish):
        intent = await create(**wish)
        await let_time_pass(minutes=16)
        await checkout.expire_holds(event.id)
        await reconciliation.reconcile()
        return intent

    monkeypatch.setattr(gateway.current(), "create", slowly)
    with pytest.raises(HoldEnded):
        await checkout.start_payment(checkout_id)


@pytest.mark.parametrize(
    ("mode", "times"), [("drop_before", 2), ("drop_after", 2), ("500_before", 2), ("500_after", 2), ("429", 1)]
)
async def test_case_19_a_capture_without_an_answer_is_finished_by_the_reconciler(stripe, mode, times):
    _, intent = await authorised(stripe)
    await stripe.fault(op="payment_intents.capture", mode=mode, times=times)
    with pytest.raises(OutcomeUnknown):
        await settlement.settle(intent.reference)
    assert await payment_status() == "CAPTURING"
    assert await db.fetchval("SELECT count(*) FROM orders") == 0
    await let_time_pass(seconds=20)
    assert await reconciliation.reconcile() == 1
    await is_one_paid_order(stripe)


async def _a_capture_hangs_and_is_asked_about_later(stripe):
    _, intent = await authorised(stripe)
    await stripe.fault(op="payment_intents.capture", mode="hang", times=2, seconds=5)
    with pytest.raises(OutcomeUnknown):
        await settlement.settle(intent.reference)
    await let_time_pass(seconds=20)
    await reconciliation.reconcile()
    await is_one_paid_order(stripe)


@pytest.mark.usefixtures("impatient")
async def test_case_19_a_capture_that_hangs_is_given_up_and_asked_about_later(stripe):
    await _a_capture_hangs_and_is_asked_about_later(stripe)


async def test_case_6_whoever_paid_in_time_is_asked_about_before_the_hold_ends(stripe):
    """Without a word from webhook or browser: at the held price, although it has gone up meanwhile."""
    checkout_id, _ = await authorised(stripe)
    await let_time_pass(minutes=7)
    await db.execute("UPDATE payment SET attempts = 9")
    await stripe.fault(op="payment_intents.retrieve", mode="503", times=2)
    assert await reconciliation.reconcile() == 1, "without an answer, and the next question would be in ten minutes"
    seconds = await db.fetchval(
        "SELECT extract(epoch FROM c.expires_at - p.next_check_at) FROM payment AS p, checkout AS c WHERE c.id = $1",
        checkout_id,
    )
    assert seconds >= reconciliation.LAST_QUESTION_SECONDS
    await let_time_pass(minutes=7, seconds=45)
    await db.execute("UPDATE ticket_type SET price = price + 100")
    await reconciliation.reconcile()
    await is_one_paid_order(stripe)


async def test_case_19_an_answer_that_drips_for_ever_is_given_up_too(stripe, monkeypatch):
    """No single wait is long enough for the library to lose its patience."""
    monkeypatch.setattr(stripe_gateway, "ATTEMPT_SECONDS", 0.3)
    await _a_capture_hangs_and_is_asked_about_later(stripe)


async def test_case_26_a_hold_that_lapses_during_an_unknown_capture_is_not_resold(stripe):
    await scenarios.a_capture_without_an_answer_outlives_the_hold(stripe)


async def test_a_cancel_without_an_answer_is_finished_by_the_reconciler(stripe):
    event = await make_event(capacity=1)
    late_checkout, intent = await authorised(stripe, event)
    await let_time_run_out(late_checkout)
    await hold(event)
    await stripe.fault(op="payment_intents.cancel", mode="drop_before", times=2)
    with pytest.raises(OutcomeUnknown):
        await settlement.settle(intent.reference)
    assert await payment_status() == "VOIDING"
    await let_time_pass(seconds=20)
    await reconciliation.reconcile()
    assert await payment_status() == "VOIDED"
    assert (await stripe.state())["intents"][0]["status"] == "canceled"


async def test_case_21_a_hold_is_released_at_its_end_although_the_provider_does_not_answer(stripe):
    event = await make_event(capacity=1)
    checkout_id = await hold_with_buyer(event)
    intent = await start_paying(checkout_id)
    await let_time_run_out(checkout_id)
    await stripe.fault(op="payment_intents.retrieve", mode="500_before", times=2)
    assert await checkout.expire_holds(event.id) == 1
    assert await statuses(checkout_id) == ["EXPIRED"]
    other_checkout, other = await authorised(stripe, event)
    await stripe.pay(intent.client_secret)
    await asyncio.gather(settlement.settle(intent.reference), settlement.settle(other.reference))
    orders = await db.fetch("SELECT checkout_id FROM orders")
    assert [o["checkout_id"] for o in orders] == [other_checkout], "exactly one outcome"
    await is_one_paid_order(stripe)


@pytest.mark.usefixtures("impatient")
async def test_case_21_a_provider_that_hangs_holds_up_an_expiry_for_a_second_at_most(stripe, monkeypatch):
    monkeypatch.setattr(checkout, "ASK_SECONDS", 0.1)
    event = await make_event(capacity=1)
    checkout_id = await hold_with_buyer(event)
    await start_paying(checkout_id)
    await let_time_run_out(checkout_id)
    await stripe.fault(op="payment_intents.retrieve", mode="hang", times=1, seconds=3)
    async with asyncio.timeout(0.3):
        assert await checkout.expire_holds(event.id) == 1
    await asyncio.gather(*checkout._asking, return_exceptions=True)


async def test_an_open_intent_whose_hold_is_gone_is_cancelled_by_the_reconciler(stripe):
    event = await make_event(capacity=1)
    checkout_id = await hold_with_buyer(event)
    intent = await start_paying(checkout_id)
    await let_time_pass(minutes=16)
    await hold(event)  # released lazily: nobody asked the provider
    await reconciliation.reconcile()
    answer = await stripe.pay(intent.client_secret)
    assert answer["error"]["code"] == "payment_intent_unexpected_state"
    assert await db.fetchval("SELECT status FROM payment WHERE reference = $1", intent.reference) == "VOIDED"


async def test_an_authorisation_that_nobody_told_us_of_is_found_by_the_reconciler(stripe):
    """The notice was lost and the page was closed."""
    await authorised(stripe)
    await let_time_pass(seconds=20)
    await reconciliation.reconcile()
    await is_one_paid_order(stripe)


async def test_a_create_that_was_never_answered_is_given_up_when_its_hold_is_gone(stripe):
    event = await make_event(capacity=1)
    checkout_id = await hold_with_buyer(event)
    await stripe.fault(op="payment_intents.create", mode="drop_before", times=2)
    with pytest.raises(OutcomeUnknown):
        await checkout.start_payment(checkout_id)
    await reconciliation.reconcile()
    assert await payment_status() == "CREATING", "the buyer may still come back"
    await let_time_pass(minutes=16)
    await checkout.expire_holds(event.id)
    await reconciliation.reconcile()
    assert await payment_status() == "VOIDED"


async def test_what_cannot_be_answered_today_is_asked_about_less_and_less_often(stripe):
    await authorised(stripe)
    await stripe.fault(op="payment_intents.retrieve", mode="429", times=99)
    waits = []
    for _ in range(4):
        await db.execute("UPDATE payment SET next_check_at = now()")
        assert await reconciliation.reconcile() == 1
        waits.append(await db.fetchval("SELECT extract(epoch FROM next_check_at - updated_at) FROM payment"))
    assert [round(wait) for wait in waits] == [15, 30, 60, 120]
    await stripe.fault(op="payment_intents.retrieve", mode="none")
    await settlement.settle(await db.fetchval("SELECT reference FROM payment"))


async def test_one_payment_that_the_provider_does_not_know_does_not_stop_the_others(stripe):
    """Of another account, or from before somebody changed the keys."""
    for _ in range(3):
        await start_paying(await hold_with_buyer(await make_event()))
    await stripe.reset()
    await authorised(stripe)
    for _ in range(3):
        await start_paying(await hold_with_buyer(await make_event()))
    await let_time_pass(seconds=20)
    try:
        await reconciliation.reconcile()
    finally:
        asked = {c["id"] for c in (await stripe.state())["calls"] if c["op"] == "payment_intents.retrieve"}
        assert asked >= {i["id"] for i in (await stripe.state())["intents"]}, "all that exist were asked about"
    await is_one_paid_order(stripe)


@pytest.mark.parametrize("table", ["new", "used before"])
async def test_several_who_ask_at_once_ask_about_each_payment_once(stripe, caretaker, table):
    """Also when the planner believes the table to be empty, and would begin with its rows, in whatever order."""
    await caretaker.execute("ANALYZE payment; ANALYZE checkout")
    event = await make_event(capacity=30)
    for _ in range(24):
        await start_paying(await hold_with_buyer(event))
    await let_time_pass(seconds=20)
    before = len((await stripe.state())["calls"])
    assert sum(await asyncio.gather(*(reconciliation.reconcile() for _ in range(3)))) == 24
    calls = (await stripe.state())["calls"]
    asked = [c["id"] for c in calls[before:] if c["op"] == "payment_intents.retrieve"]
    assert sorted(asked) == sorted(i["id"] for i in (await stripe.state())["intents"])


async def test_one_notice_that_cannot_be_handled_does_not_stop_the_others(stripe):
    lost = await start_paying(await hold_with_buyer(await make_event()))
    await notices.keep(_notice("evt_1", lost.reference))
    await stripe.reset()
    _, intent = await authorised(stripe)
    await notices.keep(_notice("evt_2", intent.reference))
    await notices.handle_due()
    await is_one_paid_order(stripe)
    unhandled = await db.fetch("SELECT id, attempts, last_error FROM payment_notice WHERE handled_at IS NULL")
    assert [(row["id"], row["attempts"]) for row in unhandled] == [("evt_1", 1)]
    assert "No such payment_intent" in unhandled[0]["last_error"]


def _notice(notice_id, reference):
    return Notice(notice_id, "payment_intent.amount_capturable_updated", reference, None, False, "{}")
