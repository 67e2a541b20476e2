"""The daily comparison: both books side by side, put right what can be, and say what still differs."""

import uuid
from contextlib import asynccontextmanager
from unittest.mock import patch

import pytest

from domain.comparison import Kind
from domain.refunds import Everything, Money, RefundReason
from models import database as db
from sandbox.plan import SANDBOX_SECRET_KEY
from services import audit, checkout, comparison, disputes, gateway, refunds, settlement
from services.gateway import OutcomeUnknown, RequestRefused
from services.transaction import transaction
from tests.makers import buy, hold, hold_with_buyer, key, let_time_pass, let_time_run_out, make_event, start_paying
from tests.services import bank

pytestmark = pytest.mark.usefixtures("database", "stripe")

LISTS = ["payment_intents.list", "refunds.list", "disputes.list"]


@pytest.fixture
async def event():
    return await make_event(capacity=20)


async def calls(stripe):
    return [c["op"] for c in (await stripe.state())["calls"]]


async def calls_of(stripe, deed):
    """What the provider was asked meanwhile."""
    before = len(await calls(stripe))
    await deed
    return (await calls(stripe))[before:]


async def differences():
    """What stands open: kind, their side, our side."""
    rows = await db.fetch(
        "SELECT kind, theirs, ours FROM discrepancy WHERE cleared_at IS NULL ORDER BY kind, theirs, ours"
    )
    return [tuple(row) for row in rows]


async def kinds():
    return [kind for kind, _, _ in await differences()]


async def runs():
    return await db.fetch("SELECT * FROM comparison ORDER BY started_at")


@asynccontextmanager
async def behind_our_back(change, undo):
    """Somebody with the database's password. What was changed is put back in the end."""

    async def whatever_the_guards_say(sql):
        async with transaction():
            await db.execute("SET LOCAL session_replication_role = replica")
            await db.execute(sql)

    await whatever_the_guards_say(change)
    yield
    await whatever_the_guards_say(undo)


async def refund(order_id, wish=None, *, run=True):
    refund_id = await refunds.request(
        order_id,
        wish or Everything(),
        reason=RefundReason.REQUESTED,
        note="",
        seats_return=False,
        request_key=key(),
        actor=audit.SYSTEM,
    )
    if run:
        await refunds.run(refund_id)
    return refund_id


async def intent_of(order_id):
    return await db.fetchval("SELECT payment_reference FROM orders WHERE id = $1", order_id)


async def foreign_intent(stripe, *, payment_id=None, card="4242424242424242", capture=True):
    """Made with our key, though not by us."""
    intent = await gateway.current().create(
        payment_id=payment_id or uuid.uuid4(), attempt=9, amount=2400, currency="EUR"
    )
    if card:
        await stripe.pay(intent.client_secret, card)
    if capture:
        await gateway.current().capture(intent.reference)
    return intent.reference


# Books that agree


async def test_books_that_agree_are_read_and_nothing_is_asked_twice(event, stripe):
    for _ in range(2):
        await buy(event, stripe)
    await refund(await buy(event, stripe))
    await refund(await buy(event, stripe), Money(100))
    await start_paying(await hold_with_buyer(event))
    given_up = await hold_with_buyer(event)
    reference = (await start_paying(given_up)).reference
    await stripe.dashboard(reference, "cancel")
    await settlement.settle(reference)
    assert await calls_of(stripe, comparison.compare()) == LISTS
    assert await differences() == []
    (run,) = await runs()
    assert (run["compared"], run["last_error"], run["finished_at"] is not None) == (6, None, True)


async def test_books_with_nothing_in_them_agree(stripe):
    assert await comparison.compare() == 0
    assert await differences() == []


async def test_money_that_was_sent_back_agrees(event, stripe):
    checkout_id = await hold_with_buyer(event)
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await stripe.dashboard(intent.reference, "capture", amount_to_capture=1000)
    await settlement.settle(intent.reference)
    await refunds.run(await db.fetchval("SELECT id FROM refund"))
    assert await calls_of(stripe, comparison.compare()) == LISTS
    assert await differences() == []


async def test_a_free_order_is_not_looked_for_at_the_provider(stripe):
    event = await make_event({"name": "General", "price": 0})
    await checkout.start_payment(await hold_with_buyer(event))
    assert await calls_of(stripe, comparison.compare()) == LISTS


async def test_long_books_are_read_to_the_end(event, stripe):
    order_id = await buy(event, stripe)
    await stripe.dashboard(await intent_of(order_id), "refund", amount=1)
    for _ in range(249):
        await foreign_intent(stripe, card=None, capture=False)
    assert await comparison.compare() == 250
    assert (await calls(stripe)).count("payment_intents.list") == 3
    assert await db.fetchval("SELECT amount FROM refund") == 1, "the oldest of all was found to differ"


async def test_what_is_bought_while_the_books_are_read_is_not_asked_about_again(event, stripe):
    await buy(event, stripe)
    read = gateway.current().intents_since

    async def and_then_somebody_buys(moment):
        async for page in read(moment):
            yield page
        await refund(await buy(event, stripe))

    with patch.object(gateway.current(), "intents_since", and_then_somebody_buys):
        await comparison.compare()
    assert await differences() == []
    asked = [c["op"] for c in (await stripe.state())["calls"] if c["op"] == "payment_intents.retrieve"]
    assert len(asked) == 2, "once in each purchase"


# What a lost notice would have told


async def test_a_payment_whose_notice_was_lost_becomes_its_order(event, stripe):
    intent = await start_paying(await hold_with_buyer(event))
    await stripe.pay(intent.client_secret)
    await comparison.compare()
    assert await db.fetchval("SELECT status FROM orders") == "COMPLETED"
    assert await differences() == []


async def test_an_intent_whose_making_we_never_heard_about_is_let_go_when_it_was_paid_too_late(event, stripe):
    checkout_id = await hold_with_buyer(event)
    await stripe.fault(op="payment_intents.create", mode="drop_after", times=2)
    with pytest.raises(OutcomeUnknown):
        await checkout.start_payment(checkout_id)
    await let_time_run_out(checkout_id)
    await hold(event, General=10)
    await hold(event, General=10)
    (there,) = (await stripe.state())["intents"]
    await stripe.dashboard(there["id"], "cancel")
    await comparison.compare()
    assert await differences() == []


@pytest.mark.parametrize("amount", [500, 2400])
async def test_a_refund_of_the_dashboard_whose_notice_was_lost_is_taken_over(event, stripe, amount):
    order_id = await buy(event, stripe)
    await stripe.dashboard(await intent_of(order_id), "refund", amount=amount)
    await comparison.compare()
    assert await db.fetchval("SELECT amount FROM refund WHERE reason = 'OUTSIDE'") == amount
    valid = await db.fetchval("SELECT count(*) FROM ticket WHERE refund_id IS NULL")
    assert valid == (0 if amount == 2400 else 1)
    assert await differences() == []


async def test_a_refund_whose_answer_was_lost_is_found(event, stripe):
    refund_id = await refund(await buy(event, stripe), run=False)
    await stripe.fault(op="refunds.create", mode="drop_after", times=2)
    with pytest.raises(OutcomeUnknown):
        await refunds.run(refund_id)
    await comparison.compare()
    assert await db.fetchval("SELECT status FROM refund") == "SUCCEEDED"
    assert await differences() == []


async def test_a_refund_that_failed_at_the_bank_without_a_notice_is_known_as_failed(event, stripe):
    order_id = await buy(event, stripe)
    await refund(order_id)
    (there,) = (await stripe.state())["refunds"]
    await bank.decide(stripe, there["id"], "fail")
    await comparison.compare()
    assert await db.fetchval("SELECT status FROM refund") == "FAILED"
    assert await db.fetchval("SELECT count(*) FROM ticket WHERE refund_id IS NULL") == 1
    assert await differences() == []


async def test_a_dispute_that_we_know_of_is_asked_about_until_it_is_closed(event, stripe):
    order_id = await buy(event, stripe)
    dispute = await stripe.dashboard(await intent_of(order_id), "dispute")
    await disputes.sync(await intent_of(order_id))
    await bank.decide(stripe, dispute["id"], "win")
    await comparison.compare()
    assert await db.fetchval("SELECT status FROM dispute") == "won"
    assert await calls_of(stripe, comparison.compare()) == LISTS, "and no more then"


async def test_a_dispute_whose_notice_was_lost_is_found(event, stripe):
    await stripe.dashboard(await intent_of(await buy(event, stripe)), "dispute")
    await comparison.compare()
    assert await db.fetchval("SELECT status FROM dispute") == "needs_response"


# What still differs


async def test_money_for_a_payment_that_we_never_made(event, stripe):
    """After a restored backup: the intents younger than it carry the ids of payments that we have forgotten."""
    await buy(event, stripe)
    await foreign_intent(stripe)
    await foreign_intent(stripe, capture=False)
    await comparison.compare()
    assert await differences() == [
        (Kind.UNKNOWN_TO_US, "€24.00 is set aside", "nothing"),
        (Kind.UNKNOWN_TO_US, "€24.00 was taken", "nothing"),
    ]


async def test_an_unknown_intent_without_money_is_nobody_s_matter(stripe):
    await foreign_intent(stripe, card=None, capture=False)
    await foreign_intent(stripe, card="4000000000000002", capture=False)
    cancelled = await foreign_intent(stripe, capture=False)
    await gateway.current().cancel(cancelled)
    await comparison.compare()
    assert await differences() == []


@pytest.mark.parametrize("metadata", [{}, {"metadata[payment_id]": "42"}, {"metadata[order]": str(uuid.uuid4())}])
async def test_the_intents_of_another_system_on_the_same_account_are_ignored(stripe, metadata):
    form = {"amount": "999", "currency": "eur", "payment_method": "pm_card_visa", "confirm": "true", **metadata}
    form |= {"allowed_payment_method_types[]": "card"}
    answer = await stripe._client.post("/v1/payment_intents", data=form, auth=(SANDBOX_SECRET_KEY, ""))
    assert answer.json()["status"] == "succeeded"
    await stripe.dashboard(answer.json()["id"], "refund", amount=1)
    assert await comparison.compare() == 1
    assert await differences() == []
    assert await db.fetchval("SELECT count(*) FROM refund") == 0


async def test_payments_that_the_provider_never_heard_of(event, stripe):
    await buy(event, stripe)
    await refund(await buy(event, stripe))
    await stripe.reset()
    await comparison.compare()
    assert await differences() == [
        (Kind.UNKNOWN_TO_THEM, "nothing", "€24.00 was taken"),
        (Kind.UNKNOWN_TO_THEM, "nothing", "€24.00 was taken, €24.00 went back"),
    ]


async def test_a_second_intent_with_money_for_what_was_paid_by_another(event, stripe):
    order_id = await buy(event, stripe)
    payment_id = await db.fetchval("SELECT payment_id FROM orders")
    second = await foreign_intent(stripe, payment_id=payment_id, capture=False)
    await comparison.compare()
    assert await differences() == [(Kind.SECOND_INTENT, "€24.00 is set aside", f"paid by {await intent_of(order_id)}")]
    assert await db.fetchval("SELECT payment_id FROM discrepancy") == payment_id
    await gateway.current().cancel(second)
    await comparison.compare()
    assert await differences() == []


async def test_money_that_we_cannot_place_is_no_matter_any_more_once_it_went_back_in_full(event, stripe):
    """After a restored backup somebody gives it back in the Dashboard, as docs/operations.md says."""
    await buy(event, stripe)
    payment_id = await db.fetchval("SELECT payment_id FROM orders")
    unknown = [await foreign_intent(stripe), await foreign_intent(stripe, payment_id=payment_id)]
    for reference in unknown:
        await stripe.dashboard(reference, "refund", amount=1000)
    await comparison.compare()
    assert sorted(kind for kind, *_ in await differences()) == [Kind.SECOND_INTENT, Kind.UNKNOWN_TO_US]
    for reference in unknown:
        await stripe.dashboard(reference, "refund", amount=1400)
    await comparison.compare()
    assert await differences() == []


async def test_taken_there_and_not_here_and_the_other_way_round(event, stripe):
    await buy(event, stripe)
    unpaid = (await start_paying(await hold_with_buyer(event))).reference
    change = f"""UPDATE payment SET status = CASE reference WHEN '{unpaid}' THEN 'CAPTURED' ELSE 'VOIDED' END,
                 captured = CASE reference WHEN '{unpaid}' THEN 2400 END"""
    undo = f"""UPDATE payment SET status = CASE reference WHEN '{unpaid}' THEN 'OPEN' ELSE 'CAPTURED' END,
               captured = CASE WHEN reference <> '{unpaid}' THEN 2400 END"""
    async with behind_our_back(change, undo):
        await comparison.compare()
        assert sorted(await differences()) == [
            (Kind.OUTCOME, "nothing was taken", "€24.00 was taken"),
            (Kind.OUTCOME, "€24.00 was taken", "nothing was taken"),
        ]
    await comparison.compare()
    assert await differences() == []


async def test_another_amount_or_currency_was_taken_than_we_say(event, stripe):
    await buy(event, stripe)
    await buy(event, stripe)
    first = await db.fetchval("SELECT id FROM payment LIMIT 1")
    amount = f"2300 + CASE id WHEN '{first}' THEN 0 ELSE 100 END"
    change = f"""UPDATE payment SET captured = {amount}, amount = {amount},
                 currency = CASE id WHEN '{first}' THEN 'EUR' ELSE 'USD' END"""
    async with behind_our_back(change, "UPDATE payment SET captured = 2400, amount = 2400, currency = 'EUR'"):
        await comparison.compare()
        assert sorted(await differences()) == [
            (Kind.AMOUNT, "€24.00 was taken", "$24.00 was taken"),
            (Kind.AMOUNT, "€24.00 was taken", "€23.00 was taken"),
        ]
    await comparison.compare()
    assert await differences() == []


async def test_other_money_went_back_than_we_say(event, stripe):
    await refund(await buy(event, stripe), Money(1000))
    async with behind_our_back("UPDATE refund SET amount = 900", "UPDATE refund SET amount = 1000"):
        await comparison.compare()
        assert await differences() == [
            (Kind.REFUNDS, "€24.00 was taken, €10.00 went back", "€24.00 was taken, €9.00 went back")
        ]
    await comparison.compare()
    assert await differences() == []


async def test_a_refund_of_ours_that_the_provider_never_made(event, stripe):
    order_id = await buy(event, stripe)
    refund_id = await refund(order_id, run=False)
    change = "UPDATE refund SET status = 'SUCCEEDED', reference = 're_invented'"
    async with behind_our_back(change, "UPDATE refund SET status = 'REQUESTED', reference = NULL"):
        await comparison.compare()
        assert await kinds() == [Kind.REFUNDS]
    await refunds.run(refund_id)
    await comparison.compare()
    assert await differences() == []


async def test_a_refund_elsewhere_that_has_to_wait_for_ours_is_in_sight_meanwhile(event, stripe):
    """Ours stands for the same money, and its note has been given up."""
    order_id = await buy(event, stripe)
    refund_id = await refund(order_id, run=False)
    await stripe.dashboard(await intent_of(order_id), "refund")
    await comparison.compare()
    assert await differences() == [(Kind.REFUNDS, "€24.00 was taken, €24.00 went back", "€24.00 was taken")]
    await refunds.run(refund_id)
    await comparison.compare()
    assert await differences() == []


# How differences are kept


async def test_a_difference_is_kept_once_and_told_as_it_is_now(event, stripe):
    await refund(await buy(event, stripe), Money(1000))
    async with behind_our_back("UPDATE refund SET amount = 900", "UPDATE refund SET amount = 1000"):
        await comparison.compare()
        found_at = await db.fetchval("SELECT found_at FROM discrepancy")
        async with behind_our_back("UPDATE refund SET amount = 800", "UPDATE refund SET amount = 900"):
            await comparison.compare()
            ((_, _, ours),) = await differences()
        assert ours == "€24.00 was taken, €8.00 went back"
        assert await db.fetchval("SELECT found_at FROM discrepancy") == found_at
    await comparison.compare()
    async with behind_our_back("UPDATE refund SET amount = 900", "UPDATE refund SET amount = 1000"):
        await comparison.compare()
        assert await db.fetchval("SELECT count(*) FROM discrepancy") == 2, "new after it was cleared"
    await comparison.compare()


async def test_a_difference_that_has_left_the_window_is_still_looked_at(event, stripe):
    await buy(event, stripe)
    await stripe.reset()
    await comparison.compare()
    assert await kinds() == [Kind.UNKNOWN_TO_THEM]
    await let_time_pass(days=10)
    assert "payment_intents.retrieve" in await calls_of(stripe, comparison.compare())
    assert await kinds() == [Kind.UNKNOWN_TO_THEM]


async def test_one_look_says_what_differs_and_clears_what_does_not(event, stripe):
    order_id = await buy(event, stripe)
    await refund(order_id, Money(1000))
    intent = await intent_of(order_id)
    async with behind_our_back("UPDATE refund SET amount = 900", "UPDATE refund SET amount = 1000"):
        assert await comparison.look_again(intent) == [Kind.REFUNDS]
    assert await comparison.look_again(intent) == []
    assert await differences() == []


async def test_a_look_at_what_nobody_knows_finds_nothing(stripe):
    assert await comparison.look_again("pi_of_nobody") == []


async def test_a_refund_that_goes_through_while_we_look_is_not_a_difference(event, stripe):
    """Between the provider's two answers there may be a wait for our turn."""
    order_id = await buy(event, stripe)
    refund_id = await refund(order_id, run=False)
    look, looks = gateway.current().refunds_of, []

    async def meanwhile_it_is_made(intent):
        looks.append(intent)
        if len(looks) == 2:  # the first look is that of taking over
            await refunds.run(refund_id)
        return await look(intent)

    with patch.object(gateway.current(), "refunds_of", meanwhile_it_is_made):
        assert await comparison.look_again(await intent_of(order_id)) == []


# When it is done


async def test_it_is_done_once_a_day():
    await comparison.compare_if_due()
    await comparison.compare_if_due()
    assert len(await runs()) == 1
    await let_time_pass(hours=23)
    await comparison.compare_if_due()
    assert len(await runs()) == 1
    await let_time_pass(hours=2)
    await comparison.compare_if_due()
    assert len(await runs()) == 2


async def test_a_run_that_was_broken_off_is_shown_and_taken_up_again(event, stripe):
    await buy(event, stripe)
    await stripe.fault(op="payment_intents.list", mode="500_before", times=2)
    with pytest.raises(OutcomeUnknown):
        await comparison.compare_if_due()
    (run,) = await runs()
    assert "OutcomeUnknown" in run["last_error"]
    assert run["finished_at"] is None
    await comparison.compare_if_due()
    assert (await runs())[-1]["finished_at"] is not None


async def test_a_run_whose_worker_died_is_taken_up_again_after_an_hour(event, stripe):
    class Killed(BaseException):
        pass

    async def killed(_):
        raise Killed
        yield

    with patch.object(gateway.current(), "refunds_since", killed), pytest.raises(Killed):
        await comparison.compare_if_due()
    await comparison.compare_if_due()
    assert [run["finished_at"] for run in await runs()] == [None], "it may still be under way"
    await let_time_pass(minutes=61)
    await comparison.compare_if_due()
    assert (await runs())[-1]["finished_at"] is not None


async def test_one_payment_that_cannot_be_looked_at_does_not_hide_the_others(event, stripe):
    for _ in range(3):
        await stripe.dashboard(await intent_of(await buy(event, stripe)), "refund", amount=100)
    first = min([row["reference"] for row in await db.fetch("SELECT reference FROM payment")])
    sync = refunds.sync

    async def refused(intent):
        if intent == first:
            raise RequestRefused("not this one", code="whatever")
        await sync(intent)

    with patch.object(refunds, "sync", refused), pytest.raises(RequestRefused):
        await comparison.compare_if_due()
    assert await db.fetchval("SELECT count(*) FROM refund") == 2
    assert "not this one" in (await runs())[0]["last_error"], "and the run says so"
    await comparison.compare_if_due()
    assert await db.fetchval("SELECT count(*) FROM refund") == 3


async def test_a_provider_that_has_gone_away_is_not_asked_about_all_the_rest(event, stripe):
    for _ in range(3):
        await stripe.dashboard(await intent_of(await buy(event, stripe)), "refund", amount=100)
    await stripe.fault(op="payment_intents.retrieve", mode="down")
    asked = await calls_of(stripe, _broken_off())
    assert asked == [*LISTS, "payment_intents.retrieve", "payment_intents.retrieve"], "the SDK tries twice"
    await stripe.fault(op="*", mode="none")


async def _broken_off():
    with pytest.raises(OutcomeUnknown):
        await comparison.compare_if_due()


async def test_how_far_it_has_come_is_shown_page_by_page(event, stripe):
    await buy(event, stripe)
    await stripe.fault(op="refunds.list", mode="down")
    await _broken_off()
    assert (await runs())[0]["compared"] == 1
    await stripe.fault(op="*", mode="none")
