"""Asked twice, at once, too late, or without hearing the answer: nothing happens twice."""

import asyncio
from uuid import uuid4

import pytest

from services import gateway
from services.gateway import Intent, IntentStatus, OutcomeUnknown, RequestRefused
from tests.makers import hold_with_buyer, make_event, start_paying
from tests.provider.hands import Hands
from tests.provider.purchase import Purchase

TOO_LATE = (400, "payment_intent_unexpected_state")


async def test_the_same_key_twice_makes_one_intent_and_replays_the_answer(hands: Hands):
    payment_id = uuid4()
    first, second = [await _create(payment_id) for _ in range(2)]
    assert second == first
    assert [a.replayed for a in hands.wire.answers if a.call == "create"] == [False, True]


async def test_the_same_key_for_another_amount_is_refused_not_obeyed(hands: Hands):
    payment_id = uuid4()
    await _create(payment_id)
    with pytest.raises(RequestRefused):
        await _create(payment_id, amount=9999)
    ((status, code),) = hands.wire.codes("create")
    assert (status, code) == (400, "idempotency_error")
    assert len(hands.wire.made) == 1


async def test_the_same_key_at_the_same_moment_makes_one_intent(hands: Hands):
    """Stripe answers the second with 409 while the first is under way; then the SDK asks again, and hears the first."""
    payment_id = uuid4()
    answers = await asyncio.gather(*(_create(payment_id) for _ in range(2)), return_exceptions=True)
    assert any(isinstance(answer, Intent) for answer in answers)
    assert all(isinstance(answer, Intent | OutcomeUnknown) for answer in answers)
    assert len(hands.wire.made) == 1


async def test_when_the_answer_about_a_new_intent_is_lost_the_same_intent_is_found_again(hands: Hands):
    checkout_id = await hold_with_buyer(await make_event())
    hands.wire.lose("create", times=2)  # the SDK's own second try included
    with pytest.raises(OutcomeUnknown):
        await start_paying(checkout_id)
    found = await start_paying(checkout_id)
    assert hands.wire.made == [found.reference]


async def test_when_the_answer_about_the_capture_is_lost_the_purchase_is_finished_by_asking(hands: Hands):
    purchase = await Purchase.begin(hands)
    await purchase.authorise()
    hands.wire.lose("capture", times=2)
    try:
        await purchase.settle()  # the SDK's second try may already hear that it is too late: taken
    except OutcomeUnknown:
        assert (await purchase.payment())["status"] == "CAPTURING"
    await purchase.settle()
    assert await purchase.has_its_tickets()


async def test_settling_from_everywhere_at_once_takes_the_money_once(hands: Hands):
    purchase = await Purchase.begin(hands)
    await purchase.authorise()
    await asyncio.gather(*(purchase.settle() for _ in range(4)), return_exceptions=True)
    await purchase.settle()
    assert await purchase.has_its_tickets()


async def test_taking_twice_says_that_it_is_taken(hands: Hands):
    purchase = await Purchase.begin(hands)
    await purchase.authorise()
    first, second = [await gateway.current().capture(purchase.reference) for _ in range(2)]
    assert (first.status, second.status) == (IntentStatus.CAPTURED, IntentStatus.CAPTURED)
    assert hands.wire.codes("capture") == [TOO_LATE]
    assert (await hands.look(purchase.reference)).amount_received == 2400


async def test_letting_go_twice_says_that_it_is_let_go(hands: Hands):
    purchase = await Purchase.begin(hands)
    answers = [await gateway.current().cancel(purchase.reference) for _ in range(2)]
    assert [a.status for a in answers] == [IntentStatus.CANCELLED, IntentStatus.CANCELLED]
    assert hands.wire.codes("cancel") == [TOO_LATE]


async def test_letting_go_of_what_was_taken_says_that_it_is_taken(hands: Hands):
    purchase = await Purchase.complete(hands)
    assert (await gateway.current().cancel(purchase.reference)).status == IntentStatus.CAPTURED
    assert hands.wire.codes("cancel") == [TOO_LATE]


async def test_taking_what_was_let_go_says_that_it_is_let_go(hands: Hands):
    purchase = await Purchase.begin(hands)
    await purchase.authorise()
    await hands.cancel(purchase.reference)
    assert (await gateway.current().capture(purchase.reference)).status == IntentStatus.CANCELLED
    assert hands.wire.codes("capture") == [TOO_LATE]


async def test_taking_what_nobody_has_paid_says_that_it_waits_for_the_buyer(hands: Hands):
    purchase = await Purchase.begin(hands)
    assert (await gateway.current().capture(purchase.reference)).status == IntentStatus.AWAITING_BUYER
    assert hands.wire.codes("capture") == [TOO_LATE]


@pytest.mark.parametrize("other", ["capture", "cancel"])
async def test_taking_at_the_moment_of_another_change_ends_in_one_truth(hands: Hands, other):
    purchase = await Purchase.begin(hands)
    await purchase.authorise()
    here = gateway.current()
    answers = await asyncio.gather(
        here.capture(purchase.reference), getattr(here, other)(purchase.reference), return_exceptions=True
    )
    truth = await here.retrieve(purchase.reference)
    assert truth.status in (IntentStatus.CAPTURED, IntentStatus.CANCELLED)
    for answer in answers:
        assert isinstance(answer, OutcomeUnknown) or answer.status == truth.status
    taken = 2400 if truth.status == IntentStatus.CAPTURED else 0
    assert (await hands.look(purchase.reference)).amount_received == taken


async def test_an_intent_that_the_provider_never_heard_of_is_called_missing(hands: Hands):
    with pytest.raises(RequestRefused) as refusal:
        await gateway.current().retrieve("pi_3AnIntentThatNobodyMade0000")
    assert refusal.value.code == "resource_missing"
    assert hands.wire.codes("retrieve") == [(404, "resource_missing")]


async def _create(payment_id, amount: int = 2400) -> Intent:
    return await gateway.current().create(payment_id=payment_id, attempt=0, amount=amount, currency="EUR")
