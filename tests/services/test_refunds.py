"""Money that goes back: exactly once, its tickets admit nobody, a seat is sold again only when somebody says so.

Case 23, and case 22 as far as the money is concerned. The SDK tries each call twice by itself, so a fault that we are
to see happens twice.
"""

import asyncio
import itertools
import json
import uuid
from dataclasses import replace
from unittest.mock import patch

import asyncpg
import pytest

from domain.errors import (
    NothingToRefund,
    OrderNotComplete,
    OrderNotFound,
    RefundTooLarge,
    RequestKeyReused,
    TicketsNotRefundable,
)
from domain.payments import PaymentStatus
from domain.refunds import Everything, Money, RefundReason, TheseTickets
from domain.reservations import HoldState
from models import database as db
from models.checkout import visit
from sandbox.plan import SANDBOX_SECRET_KEY
from services import gateway, lanes, notices, outbox, refunds, settlement, stripe_gateway, tickets
from services.gateway import OutcomeUnknown
from services.stripe_gateway import StripeGateway
from tests import mutants
from tests.faults.interleaving import after_statement, before, in_this_order, lock_held, rendezvous, waiting_for_a_lock
from tests.makers import (
    buy,
    hold,
    hold_with_buyer,
    key,
    left,
    let_time_pass,
    let_time_run_out,
    make_event,
    start_paying,
    ticket_type,
)
from tests.services import bank
from tests.services.refunding import (
    ADMIN,
    FAILED,
    PENDING,
    REFUND_FAILS,
    REFUND_PENDS,
    REQUESTED,
    SUCCEEDED,
    amounts,
    at_every_instant,  # noqa: F401
    at_stripe,
    audit_trail,
    calls,
    intent_of,
    known,
    mails,
    pay_with,
    refund,
    refund_and_run,
    row,
    status,
    tickets_of,
    validity,
    work,
)

pytestmark = pytest.mark.usefixtures("database", "stripe")

UNHURRIED = 5  # seconds, where nothing keeps anybody away from a rendezvous


class Killed(BaseException):
    """kill -9: nothing below it runs."""


@pytest.fixture
async def event():
    return await make_event(capacity=5)


@pytest.fixture
async def order_id(event, stripe):
    """Two tickets at 24.00."""
    return await buy(event, stripe, General=2)


@pytest.fixture
async def impatient(stripe_url, monkeypatch, stripe):
    """The same gateway, for which 0.3 s are an eternity."""
    monkeypatch.setattr(stripe_gateway, "TIMEOUT_SECONDS", 0.3)
    ours = StripeGateway(secret_key=SANDBOX_SECRET_KEY, api_base=stripe_url, webhook_secrets=("whsec_x",))
    usual = gateway.current()
    gateway.use(ours)
    yield
    gateway.use(usual)
    await ours.close()


# What can be asked for


@pytest.mark.usefixtures("at_every_instant")
async def test_a_full_refund_gives_all_back_and_makes_every_ticket_invalid_at_once(order_id, stripe):
    refund_id = await refund(order_id)
    assert await validity(order_id) == "ii", "before the provider has even heard of it"
    assert await status(refund_id) == REQUESTED
    assert await work() == 1
    assert await status(refund_id) == SUCCEEDED
    (there,) = await at_stripe(stripe)
    assert (there["amount"], there["payment_intent"]) == (4800, await intent_of(order_id))
    assert there["metadata"] == {"refund_id": str(refund_id)}
    assert await db.fetchval("SELECT status FROM orders") == "COMPLETED", "AC 6: an order never goes back"


@pytest.mark.usefixtures("at_every_instant")
async def test_a_refund_by_item_makes_its_tickets_invalid_and_leaves_the_others(order_id, stripe):
    first, _ = await tickets_of(order_id, valid=True)
    refund_id = await refund(order_id, TheseTickets(frozenset({first})))
    assert await validity(order_id) == "iv"
    await refunds.run(refund_id)
    assert await validity(order_id) == "iv"
    assert await amounts(stripe) == [2400]


async def test_a_refund_by_item_may_be_for_less_than_was_paid(order_id, stripe):
    first, _ = await tickets_of(order_id, valid=True)
    await refund_and_run(order_id, TheseTickets(frozenset({first}), 2000))
    assert await amounts(stripe) == [2000]
    assert await validity(order_id) == "iv"


async def test_an_amount_alone_leaves_every_ticket_valid(order_id, stripe):
    await refund_and_run(order_id, Money(500))
    assert await amounts(stripe) == [500]
    assert await validity(order_id) == "vv"


async def test_refunds_of_one_order_add_up_to_all_of_it_and_not_more(order_id, stripe):
    first, second = await tickets_of(order_id, valid=True)
    await refund_and_run(order_id, Money(500))
    await refund_and_run(order_id, TheseTickets(frozenset({first})))
    with pytest.raises(RefundTooLarge) as refusal:
        await refund(order_id, TheseTickets(frozenset({second})))
    assert refusal.value.most == 1900
    with pytest.raises(TicketsNotRefundable):
        await refund(order_id, TheseTickets(frozenset({first}), 1))
    await refund_and_run(order_id, TheseTickets(frozenset({second}), 1900))
    assert await amounts(stripe) == [500, 2400, 1900]
    with pytest.raises(NothingToRefund):
        await refund(order_id)


async def test_the_last_of_the_money_takes_the_tickets_with_it_however_it_was_asked_for(order_id):
    await refund(order_id, Money(4000))
    assert await validity(order_id) == "vv"
    await refund(order_id, Money(800))
    assert await validity(order_id) == "ii"


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (RefundReason.REQUESTED, "requested_by_customer"),
        (RefundReason.EVENT_CHANGED, "requested_by_customer"),
        (RefundReason.GOODWILL, "requested_by_customer"),
        (RefundReason.DUPLICATE, "duplicate"),
        (RefundReason.FRAUDULENT, "fraudulent"),
    ],
)
async def test_reason_and_note_are_kept_and_the_provider_is_told_what_it_understands(order_id, stripe, reason, said):
    refund_id = await refund_and_run(order_id, reason=reason, note="“Zoë” called,\nfamily ill")
    ours, (there,) = await row(refund_id), await at_stripe(stripe)
    assert (ours["reason"], ours["note"]) == (reason, "“Zoë” called,\nfamily ill")
    assert there["reason"] == said


async def test_who_asked_is_written_with_what_was_asked(order_id):
    refund_id = await refund(order_id, seats_return=True)
    entry = await db.fetchrow("SELECT * FROM audit_entry")
    assert (entry["actor_id"], entry["actor_name"], entry["action"]) == (ADMIN.id, "Mira", "refund requested")
    assert (entry["subject_kind"], entry["subject_id"]) == ("order", str(order_id))
    assert json.loads(entry["after"]) == {
        "refund": str(refund_id),
        "amount": 4800,
        "currency": "EUR",
        "tickets": 2,
        "reason": "REQUESTED",
        "seats return": True,
    }


async def test_i8_what_the_bank_makes_of_a_refund_is_written_too(stripe):
    order_id = await pay_with(stripe, REFUND_FAILS)
    await refund_and_run(order_id)
    await bank.decide(stripe, (await at_stripe(stripe))[0]["id"], "fail")
    await refunds.sync(await intent_of(order_id))
    assert await audit_trail() == [
        ("Mira", "refund requested", "order"),
        ("Foyer", "refund succeeded", "refund"),
        ("Foyer", "refund failed", "refund"),
    ]


async def test_tickets_that_cost_nothing_are_cancelled_without_the_provider(stripe):
    event = await make_event(ticket_type(price=0), capacity=2)
    checkout_id = await hold_with_buyer(event, General=2)
    await settlement.settle_free(await _free_payment(checkout_id))
    order_id = await db.fetchval("SELECT id FROM orders")
    first, second = await tickets_of(order_id, valid=True)
    kept = await refund(order_id, TheseTickets(frozenset({first})))
    assert (await status(kept), await validity(order_id), await left(event)) == (SUCCEEDED, "iv", 0)
    returned = await refund(order_id, TheseTickets(frozenset({second})), seats_return=True)
    assert (await validity(order_id), await left(event)) == ("ir", 1)
    assert await refunds.return_seats(kept, actor=ADMIN) == 1
    assert await left(event) == 2
    assert sorted(await mails()) == sorted([kept, returned])
    for refund_id in (kept, returned):
        await refunds.run(refund_id)
    assert (await stripe.state())["calls"] == []
    with pytest.raises(NothingToRefund):
        await refund(order_id)


async def test_a_free_ticket_beside_a_paid_one_outlives_the_money_unless_everything_was_asked_for(stripe):
    event = await make_event(ticket_type("Child", price=0), ticket_type(), capacity=4)
    some = await buy(event, stripe, Child=1, General=1)
    await refund_and_run(some, Money(2400))
    assert await validity(some) == "vi"
    child = await tickets_of(some, valid=True)
    await refund(some, TheseTickets(frozenset(child)))
    assert await validity(some) == "ii"
    whole = await buy(event, stripe, Child=1, General=1)
    await refund_and_run(whole)
    assert await validity(whole) == "ii"


async def test_an_order_whose_tickets_are_being_made_waits_a_moment_with_its_refund(event, stripe):
    with patch.object(tickets, "issue", _not_now):
        order_id = await buy(event, stripe)
    with pytest.raises(OrderNotComplete):
        await refund(order_id)
    await tickets.issue(order_id)
    await refund(order_id)
    assert await validity(order_id) == "i"


async def test_an_order_that_is_completed_while_its_refund_is_asked_for_is_refunded(event, stripe):
    with patch.object(tickets, "issue", _not_now):
        order_id = await buy(event, stripe)
    issue = tickets.issue

    async def issue_it():
        await issue(order_id)

    with after_statement(refunds.ORDER, issue_it):
        await refund(order_id)
    assert await validity(order_id) == "i"


async def test_an_unknown_order_is_not_found():
    with pytest.raises(OrderNotFound):
        await refund(uuid.uuid4())


@pytest.mark.parametrize("wish", [Money(4801), Money(0), Money(-1), TheseTickets(frozenset({uuid.uuid4()}))])
async def test_a_refusal_changes_nothing(order_id, wish):
    with pytest.raises((RefundTooLarge, NothingToRefund, TicketsNotRefundable)):
        await refund(order_id, wish)
    assert await known() == []
    assert await validity(order_id) == "vv"
    assert await audit_trail() == []


async def test_the_tickets_of_another_order_cannot_go_back_with_this_one(order_id, event, stripe):
    other = await buy(event, stripe)
    theirs = await tickets_of(other, valid=True)
    with pytest.raises(TicketsNotRefundable):
        await refund(order_id, TheseTickets(frozenset(theirs)))


async def test_a_refund_is_announced_by_mail_once(order_id, stripe):
    refund_id = await refund(order_id)
    assert await mails() == [], "not before the provider has agreed"
    for _ in range(3):
        await refunds.run(refund_id)
        await refunds.sync(await intent_of(order_id))
    assert await mails() == [refund_id]


# The same form twice


async def _pressed_twice(order_id, *, patience=0.25):
    request_key = key()
    with after_statement(refunds.KNOWN, rendezvous(2, patience=patience)):
        pressed = (refund(order_id, Money(500), request_key=request_key) for _ in range(2))
        outcomes = await asyncio.gather(*pressed, return_exceptions=True)
    assert await db.fetchval("SELECT count(*) FROM refund") == 1, "one key made two refunds"
    assert outcomes[0] == outcomes[1], "the same key did not answer the same refund"


async def test_case_23_a_form_pressed_twice_at_once_pays_once(order_id, stripe):
    await _pressed_twice(order_id)
    await work()
    assert await amounts(stripe) == [500]
    assert len(await audit_trail()) == 2, "asked for once, agreed once"


@pytest.mark.parametrize("wish", [Money(500), Everything(), "the first ticket"])
async def test_case_23_a_form_pressed_again_later_finds_its_refund(order_id, stripe, wish):
    if wish == "the first ticket":
        wish = TheseTickets(frozenset((await tickets_of(order_id, valid=True))[:1]))
    request_key = key()
    refund_id = await refund_and_run(order_id, wish, request_key=request_key)
    assert await refund(order_id, wish, request_key=request_key) == refund_id
    await work()
    assert len(await amounts(stripe)) == 1


async def test_a_form_pressed_again_after_its_refund_failed_says_so(stripe):
    order_id = await pay_with(stripe, REFUND_FAILS)
    request_key = key()
    refund_id = await refund_and_run(order_id, request_key=request_key)
    await bank.decide(stripe, (await row(refund_id))["reference"], "fail")
    await refunds.sync(await intent_of(order_id))
    assert await refund(order_id, request_key=request_key) == refund_id, "another try needs another form"


async def test_a_key_names_one_refund_for_ever(order_id, event, stripe):
    """The browser's way back brings the old form: what is changed in it must not be taken for the old wish."""
    first, second = await tickets_of(order_id, valid=True)
    request_key = key()
    refund_id = await refund(order_id, TheseTickets(frozenset({first})), request_key=request_key)
    other = await buy(event, stripe)
    for elsewhere, wish in (
        (order_id, TheseTickets(frozenset({second}))),
        (order_id, TheseTickets(frozenset({first}), 2300)),
        (order_id, Money(100)),
        (order_id, Everything()),
        (other, TheseTickets(frozenset({first}))),
        (other, Everything()),
    ):
        with pytest.raises(RequestKeyReused):
            await refund(elsewhere, wish, request_key=request_key)
    assert await refund(order_id, TheseTickets(frozenset({first})), request_key=request_key) == refund_id


async def test_without_the_locks_the_database_still_refuses_a_second_refund_for_one_key(order_id):
    with mutants.breaks("did not answer"), _no_locks():
        await _pressed_twice(order_id, patience=UNHURRIED)


async def test_without_locks_and_unique_key_a_form_pressed_twice_pays_twice(stripe):
    async with mutants.database_after("ALTER TABLE refund DROP CONSTRAINT refund_once_per_request"):
        order_id = await buy(await make_event(), stripe)
        with mutants.breaks("two refunds"), _no_locks():
            await _pressed_twice(order_id, patience=UNHURRIED)


# Never more than was taken


async def _two_want_the_greater_part(order_id, *, patience=0.25):
    with after_statement(refunds.VALID_TICKETS, rendezvous(2, patience=patience)):
        outcomes = await asyncio.gather(*(refund(order_id, Money(3000)) for _ in range(2)), return_exceptions=True)
    sum_of = "SELECT coalesce(sum(amount), 0) FROM refund WHERE status <> 'FAILED'"
    assert await db.fetchval(sum_of) == 3000, "more was promised back than was taken"
    return outcomes


async def test_case_23_of_two_refunds_at_once_that_are_too_much_together_one_is_refused(order_id):
    outcomes = await _two_want_the_greater_part(order_id)
    (refusal,) = [o for o in outcomes if isinstance(o, RefundTooLarge)]
    assert refusal.most == 1800


async def test_case_23_the_trigger_alone_refuses_it_on_two_connections(order_id):
    with _no_locks():
        outcomes = await _two_want_the_greater_part(order_id, patience=UNHURRIED)
    (refusal,) = [o for o in outcomes if isinstance(o, asyncpg.CheckViolationError)]
    assert refusal.constraint_name == refunds.NEVER_MORE_THAN_TAKEN


async def test_without_locks_and_trigger_two_refunds_at_once_are_more_than_was_taken(stripe):
    async with mutants.database_after("DROP TRIGGER guard ON refund"):
        order_id = await buy(await make_event(), stripe, General=2)
        with mutants.breaks("more was promised"), _no_locks():
            await _two_want_the_greater_part(order_id, patience=UNHURRIED)


async def test_without_the_triggers_lock_two_refunds_slip_past_its_sum(stripe):
    """The sum alone sees only what has been committed."""
    blind = await db.fetchval("SELECT pg_get_functiondef('guard_refund'::regproc)")
    blind = blind.replace("public.", "").replace("FOR NO KEY UPDATE", "")
    async with mutants.database_after(blind):
        order_id = await buy(await make_event(), stripe, General=2)
        with (
            mutants.breaks("more was promised"),
            _no_locks(),
            after_statement("INSERT INTO refund", rendezvous(2, patience=UNHURRIED)),
        ):
            await _two_want_the_greater_part(order_id, patience=UNHURRIED)


async def test_a_refund_and_the_next_one_at_once_take_each_ticket_once(order_id):
    first, second = await tickets_of(order_id, valid=True)
    with after_statement(refunds.VALID_TICKETS, rendezvous(2)):
        wishes = (TheseTickets(frozenset({first})), TheseTickets(frozenset({first, second})))
        outcomes = await asyncio.gather(*(refund(order_id, wish) for wish in wishes), return_exceptions=True)
    assert len([o for o in outcomes if isinstance(o, uuid.UUID)]) == 1
    assert len([o for o in outcomes if isinstance(o, RefundTooLarge | TicketsNotRefundable)]) == 1


# Exactly once, whatever happens on the way


async def _until_it_is_done(refund_id, *, patience=6):
    """As the outbox does it: again and again until it goes through."""
    for _ in range(patience):
        try:
            await refunds.run(refund_id)
        except OutcomeUnknown:
            continue
        return
    raise AssertionError("it never went through")


async def _is_one_refund(stripe, refund_id, amount=1000):
    assert await amounts(stripe) == [amount], "not exactly one refund at the provider"
    ours, (there,) = await row(refund_id), await at_stripe(stripe)
    assert (ours["status"], ours["reference"]) == (SUCCEEDED, there["id"])
    assert await mails() == [refund_id]


async def test_case_23_killed_before_the_provider_was_told(order_id, stripe):
    refund_id = await refund(order_id, Money(1000))
    with pytest.raises(Killed), before(gateway.current(), "refund", _killed):
        await refunds.run(refund_id)
    await _until_it_is_done(refund_id)
    await _is_one_refund(stripe, refund_id)


async def test_case_23_killed_after_the_provider_has_done_it(order_id, stripe):
    refund_id = await refund(order_id, Money(1000))
    with pytest.raises(Killed), before(refunds, "_record", _killed):
        await refunds.run(refund_id)
    assert await status(refund_id) == REQUESTED
    await _until_it_is_done(refund_id)
    await _is_one_refund(stripe, refund_id)


@pytest.mark.parametrize("mode", ["drop_before", "drop_after"])
async def test_case_23_the_answer_is_lost(order_id, stripe, mode):
    refund_id = await refund(order_id, Money(1000))
    await stripe.fault(op="refunds.create", mode=mode, times=2)
    with pytest.raises(OutcomeUnknown):
        await refunds.run(refund_id)
    assert await status(refund_id) == REQUESTED
    await _until_it_is_done(refund_id)
    await _is_one_refund(stripe, refund_id)


@pytest.mark.parametrize("mode", ["500_before", "500_after"])
async def test_case_23_a_definite_500_would_be_replayed_so_the_next_attempt_has_a_new_key(order_id, stripe, mode):
    refund_id = await refund(order_id, Money(1000))
    await stripe.fault(op="refunds.create", mode=mode)
    with pytest.raises(OutcomeUnknown):
        await refunds.run(refund_id)
    assert (await row(refund_id))["last_error"]
    await refunds.run(refund_id)
    await _is_one_refund(stripe, refund_id)
    assert (await row(refund_id))["last_error"] is None


@pytest.mark.parametrize("mode", ["429", "503", "lock"])
async def test_case_23_a_provider_that_is_busy_is_asked_again_with_the_same_key(order_id, stripe, mode):
    refund_id = await refund(order_id, Money(1000))
    await stripe.fault(op="refunds.create", mode=mode, times=2)
    await _until_it_is_done(refund_id)
    await _is_one_refund(stripe, refund_id)
    if mode != "503":
        assert len({c["idempotency_key"] for c in await calls(stripe, "refunds.create")}) == 1


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("mode", ["hang", "late"])
async def test_case_23_an_answer_that_comes_too_late(order_id, stripe, mode):
    """Done and silent, or silent and done only then: meanwhile the same key is answered with a conflict."""
    refund_id = await refund(order_id, Money(1000))
    await stripe.fault(op="refunds.create", mode=mode, seconds=1)
    with pytest.raises(OutcomeUnknown):
        await refunds.run(refund_id)
    await asyncio.sleep(1)
    await _until_it_is_done(refund_id)
    await _is_one_refund(stripe, refund_id)


@pytest.mark.parametrize("mode", ["drop_before", "500_before", "429"])
async def test_case_23_without_a_look_nothing_is_made(order_id, stripe, mode):
    refund_id = await refund(order_id, Money(1000))
    await stripe.fault(op="refunds.list", mode=mode, times=2)
    with pytest.raises(OutcomeUnknown):
        await refunds.run(refund_id)
    assert await calls(stripe, "refunds.create") == []
    await _until_it_is_done(refund_id)
    await _is_one_refund(stripe, refund_id)


async def _two_workers_at_once(stripe, refund_id):
    """Both have looked, and neither has seen a refund."""
    with before(gateway.current(), "refund", rendezvous(2, patience=UNHURRIED)):
        await asyncio.gather(refunds.run(refund_id), refunds.run(refund_id))
    await _is_one_refund(stripe, refund_id)


async def test_case_23_two_workers_at_once(order_id, stripe):
    await _two_workers_at_once(stripe, await refund(order_id, Money(1000)))


async def test_without_the_idempotency_key_two_workers_at_once_pay_twice(order_id, stripe):
    honest, number = gateway.current().refund, itertools.count()

    async def always_another_key(**wish):
        return await honest(**wish | {"attempt": next(number)})

    refund_id = await refund(order_id, Money(1000))
    with patch.object(gateway.current(), "refund", always_another_key), mutants.breaks("exactly"):
        await _two_workers_at_once(stripe, refund_id)


async def _a_500_that_had_its_effect(stripe, refund_id):
    await stripe.fault(op="refunds.create", mode="500_after")
    await _until_it_is_done(refund_id)
    await _is_one_refund(stripe, refund_id)


async def test_without_the_look_a_500_that_had_its_effect_is_paid_twice(order_id, stripe):
    async def sees_nothing(_):
        return []

    refund_id = await refund(order_id, Money(1000))
    with patch.object(gateway.current(), "refunds_of", sees_nothing), mutants.breaks("exactly"):
        await _a_500_that_had_its_effect(stripe, refund_id)


async def test_without_a_new_key_a_500_is_replayed_for_ever(order_id, stripe):
    refund_id = await refund(order_id, Money(1000))
    await stripe.fault(op="refunds.create", mode="500_before")
    with mutants.sql("SET attempts = $2 + 1", "SET attempts = $2"), mutants.breaks("never went"):
        await _until_it_is_done(refund_id)


async def test_two_workers_who_hear_the_same_500_go_on_to_one_new_key_not_to_two(order_id, stripe):
    """With two, a slow worker could use the one after a quick worker has used the other."""
    refund_id = await refund(order_id, Money(1000))
    await stripe.fault(op="refunds.create", mode="500_before")
    with before(gateway.current(), "refund", rendezvous(2, patience=UNHURRIED)):
        await asyncio.gather(refunds.run(refund_id), refunds.run(refund_id), return_exceptions=True)
    assert (await row(refund_id))["attempts"] == 1
    await asyncio.gather(*(refunds.run(refund_id) for _ in range(3)))
    await _is_one_refund(stripe, refund_id)


async def test_case_23_twenty_at_once(order_id, stripe):
    refund_id = await refund(order_id, Money(1000))
    await asyncio.gather(*(refunds.run(refund_id) for _ in range(20)))
    await _is_one_refund(stripe, refund_id)


async def test_case_23_workers_notices_and_a_person_at_once(order_id, stripe):
    refund_id = await refund(order_id, Money(1000))
    intent = await intent_of(order_id)
    await stripe.fault(op="refunds.create", mode="500_after")
    everybody = [refunds.run(refund_id) for _ in range(6)] + [refunds.sync(intent) for _ in range(6)]
    await asyncio.gather(*everybody, work(), return_exceptions=True)
    await _until_it_is_done(refund_id)
    await _is_one_refund(stripe, refund_id)


async def test_a_list_that_lags_behind_does_not_turn_a_made_refund_into_a_failed_one(order_id, stripe):
    """It was made although the answer was a 500; the look does not show it yet, and there is no room for another."""
    refund_id = await refund(order_id)
    await stripe.fault(op="refunds.create", mode="500_after")
    with pytest.raises(OutcomeUnknown):
        await refunds.run(refund_id)
    look, looks = gateway.current().refunds_of, itertools.count()

    async def lagging(intent):
        return [] if next(looks) == 0 else await look(intent)

    with patch.object(gateway.current(), "refunds_of", lagging):
        await refunds.run(refund_id)
    await _is_one_refund(stripe, refund_id, 4800)
    assert await validity(order_id) == "ii"


async def test_a_refund_that_the_provider_will_never_make_has_failed_and_its_ticket_is_good_again(order_id, stripe):
    """A disputed charge cannot be refunded: the bank has the money already."""
    refund_id = await refund(order_id, Everything())
    await stripe.dashboard(await intent_of(order_id), "dispute")
    await refunds.run(refund_id)
    assert (await row(refund_id))["last_error"] == "charge_disputed"
    assert await status(refund_id) == FAILED
    assert "i" not in await validity(order_id)


async def test_what_failed_before_does_not_count_as_given_back_elsewhere(stripe):
    order_id = await pay_with(stripe, REFUND_FAILS)
    first = await refund_and_run(order_id)
    await bank.decide(stripe, (await row(first))["reference"], "fail")
    await refunds.sync(await intent_of(order_id))
    second = await refund(order_id)
    await stripe.dashboard(await intent_of(order_id), "dispute")
    await refunds.run(second)
    assert (await row(second))["last_error"] == "charge_disputed", "not: given back elsewhere"


async def test_a_refund_waits_for_a_provider_that_is_away_for_as_long_as_it_takes(order_id, stripe):
    refund_id = await refund(order_id, Money(1000))
    await stripe.fault(op="refunds.create", mode="drop_after", times=2)
    await work()
    await stripe.fault(op="refunds.list", mode="down")
    for _ in range(lanes.MAX_ATTEMPTS):
        await db.execute("UPDATE outbox SET run_at = clock_timestamp() WHERE kind = 'refund' AND run_at < 'infinity'")
        await work()
    dead = "SELECT run_at = 'infinity' FROM outbox WHERE kind = 'refund' AND done_at IS NULL"
    assert await db.fetchval(dead) is False
    assert await status(refund_id) == REQUESTED
    await stripe.fault(op="refunds.list", mode="none")
    await refunds.sync(await intent_of(order_id))
    assert await status(refund_id) == SUCCEEDED
    assert await db.fetchval(dead) is None, "nothing is left to do"


async def test_a_dead_letter_is_taken_up_at_a_person_s_word(order_id, stripe):
    refund_id = await refund(order_id, Money(1000))
    note = "SELECT id FROM outbox WHERE kind = 'refund'"
    await db.execute("UPDATE outbox SET run_at = 'infinity', attempts = 12 WHERE kind = 'refund'")
    await outbox.try_again(await db.fetchval(note), actor=ADMIN)
    assert await work() == 1
    await _is_one_refund(stripe, refund_id)
    assert ("Mira", "tried again", "outbox") in await audit_trail()


async def test_an_unknown_refund_is_nobody_s_deed(stripe):
    await refunds.run(uuid.uuid4())
    assert (await stripe.state())["calls"] == []


# What the bank says later


@pytest.mark.usefixtures("at_every_instant")
async def test_a_pending_refund_is_followed_until_it_arrives(stripe):
    order_id = await pay_with(stripe, REFUND_PENDS)
    refund_id = await refund_and_run(order_id)
    assert await status(refund_id) == PENDING
    assert await mails() == [refund_id]
    assert await refunds.sync_pending() == 0, "not at once"
    await let_time_pass(hours=2)
    assert await refunds.sync_pending() == 1
    assert await status(refund_id) == PENDING
    await bank.decide(stripe, (await row(refund_id))["reference"], "succeed")
    await let_time_pass(hours=3)
    assert await refunds.sync_pending() == 1
    assert await status(refund_id) == SUCCEEDED
    await let_time_pass(hours=99)
    assert await refunds.sync_pending() == 0
    assert await mails() == [refund_id]


async def test_a_provider_that_does_not_answer_about_one_pending_refund_is_asked_about_the_others(stripe):
    for _ in range(2):
        await refund_and_run(await pay_with(stripe, REFUND_PENDS))
    for there in await at_stripe(stripe):
        await bank.decide(stripe, there["id"], "succeed")
    await let_time_pass(hours=2)
    await stripe.fault(op="refunds.list", mode="500_before", times=2)
    assert await refunds.sync_pending(in_lanes=1) == 2
    assert sorted(s for _, s, _ in await known()) == [PENDING, SUCCEEDED]


@pytest.mark.usefixtures("at_every_instant")
@pytest.mark.parametrize("card", [REFUND_FAILS, REFUND_PENDS])
async def test_a_refund_that_fails_gives_the_tickets_back_to_their_buyer(stripe, card):
    order_id = await pay_with(stripe, card, General=2)
    refund_id = await refund_and_run(order_id)
    await bank.decide(stripe, (await row(refund_id))["reference"], "fail")
    await refunds.sync(await intent_of(order_id))
    assert await status(refund_id) == FAILED
    assert (await row(refund_id))["last_error"] == "unknown"
    assert await validity(order_id) == "vv"


@pytest.mark.usefixtures("at_every_instant")
async def test_a_seat_that_was_sold_again_does_not_come_back_when_the_refund_fails(stripe):
    event = await make_event(capacity=1)
    order_id = await pay_with(stripe, REFUND_FAILS, event)
    refund_id = await refund_and_run(order_id, seats_return=True)
    other = await buy(event, stripe)
    await bank.decide(stripe, (await row(refund_id))["reference"], "fail")
    await refunds.sync(await intent_of(order_id))
    assert (await validity(order_id), await validity(other)) == ("r", "v")
    assert await left(event) == 0
    again = await refund_and_run(order_id, Money(2400))
    assert await status(again) == SUCCEEDED, "the money that stayed with us can still go back"
    assert await validity(order_id) == "r"


@pytest.mark.usefixtures("at_every_instant")
async def test_after_a_failed_refund_the_money_can_go_back_again(stripe):
    order_id = await pay_with(stripe, REFUND_FAILS)
    first = await refund_and_run(order_id)
    await bank.decide(stripe, (await row(first))["reference"], "fail")
    await refunds.sync(await intent_of(order_id))
    second = await refund_and_run(order_id)
    assert (await status(first), await status(second)) == (FAILED, SUCCEEDED)
    assert await validity(order_id) == "i"


async def test_a_failure_that_we_have_not_heard_of_does_not_hide_the_refund_that_was_made_instead(stripe):
    """The bank refused ours, and somebody repeated it in the Dashboard before we knew: one look takes both."""
    order_id = await pay_with(stripe, REFUND_FAILS, General=2)
    refund_id = await refund_and_run(order_id)
    await bank.decide(stripe, (await row(refund_id))["reference"], "fail")
    await stripe.dashboard(await intent_of(order_id), "refund")
    await refunds.sync(await intent_of(order_id))
    assert await known() == [(4800, FAILED, "REQUESTED"), (4800, SUCCEEDED, "OUTSIDE")]
    assert await validity(order_id) == "ii"


async def test_a_refund_that_was_withdrawn_in_the_dashboard_has_failed(stripe):
    order_id = await pay_with(stripe, REFUND_PENDS)
    refund_id = await refund_and_run(order_id)
    await bank.decide(stripe, (await row(refund_id))["reference"], "cancel")
    await refunds.sync(await intent_of(order_id))
    assert (await status(refund_id), await validity(order_id)) == (FAILED, "v")


async def test_a_dispute_overtakes_a_pending_refund(stripe):
    order_id = await pay_with(stripe, REFUND_PENDS)
    refund_id = await refund_and_run(order_id)
    await stripe.dashboard(await intent_of(order_id), "dispute")
    await refunds.sync(await intent_of(order_id))
    assert await status(refund_id) == FAILED
    assert (await row(refund_id))["last_error"] == "charge_for_pending_refund_disputed"


async def test_what_was_said_last_stays_whoever_read_it_first(order_id, stripe):
    """An older answer arrives after a newer one: a refund never goes back to where it was."""
    refund_id = await refund(order_id)
    made = await _make_it_at_stripe(refund_id)
    await refunds._record(refund_id, made)
    await refunds._record(refund_id, _as(made, PENDING))
    assert await status(refund_id) == SUCCEEDED
    await refunds._record(refund_id, _as(made, FAILED))
    await refunds._record(refund_id, made)
    assert (await status(refund_id), await validity(order_id)) == (FAILED, "vv")


# Seats


@pytest.mark.usefixtures("at_every_instant")
async def test_a_refunded_seat_stays_off_sale_until_somebody_says_otherwise(event, order_id):
    refund_id = await refund_and_run(order_id)
    assert await left(event) == 3
    assert await refunds.return_seats(refund_id, actor=ADMIN) == 2
    assert await left(event) == 5
    assert await validity(order_id) == "rr"
    assert (await audit_trail())[-1] == ("Mira", "seats returned to sale", "refund")


@pytest.mark.usefixtures("at_every_instant")
async def test_seats_that_are_to_return_do_so_when_the_provider_has_agreed(event, order_id):
    refund_id = await refund(order_id, seats_return=True)
    assert await left(event) == 3, "not before"
    await refunds.run(refund_id)
    assert await left(event) == 5
    assert await validity(order_id) == "rr"


async def test_seats_return_when_a_refund_is_agreed_to_even_if_the_bank_takes_its_time(stripe):
    event = await make_event(capacity=1)
    refund_id = await refund_and_run(await pay_with(stripe, REFUND_PENDS, event), seats_return=True)
    assert await left(event) == 1
    await bank.decide(stripe, (await row(refund_id))["reference"], "succeed")
    await let_time_pass(hours=2)
    await refunds.sync_pending()
    assert await left(event) == 1, "once"


async def test_seats_return_when_the_agreement_is_first_seen_by_a_look(event, order_id, stripe):
    refund_id = await refund(order_id, seats_return=True)
    await stripe.fault(op="refunds.create", mode="drop_after", times=2)
    with pytest.raises(OutcomeUnknown):
        await refunds.run(refund_id)
    intent = await intent_of(order_id)
    await asyncio.gather(*(refunds.sync(intent) for _ in range(5)), refunds.run(refund_id))
    assert await left(event) == 5


async def test_a_seat_never_returns_twice(event, order_id):
    refund_id = await refund_and_run(order_id, seats_return=True)
    assert await refunds.return_seats(refund_id, actor=ADMIN) == 0
    assert await left(event) == 5
    assert ("Mira", "seats returned to sale", "refund") not in await audit_trail()


async def test_a_seat_never_returns_twice_even_at_once(event, order_id):
    refund_id = await refund_and_run(order_id)
    came_back = await asyncio.gather(*(refunds.return_seats(refund_id, actor=ADMIN) for _ in range(8)))
    assert sorted(came_back) == [0] * 7 + [2]
    assert await left(event) == 5


async def test_only_the_seats_of_this_refund_return(event, order_id):
    first, _ = await tickets_of(order_id, valid=True)
    refund_id = await refund_and_run(order_id, TheseTickets(frozenset({first})))
    await refund_and_run(order_id)
    assert await refunds.return_seats(refund_id, actor=ADMIN) == 1
    assert await validity(order_id) == "ri"
    assert await left(event) == 4


async def test_a_returned_seat_is_for_sale_and_is_sold(stripe):
    event = await make_event(ticket_type("Early Bird", allocation=1), ticket_type(), capacity=2)
    order_id = await buy(event, stripe, Early_Bird=1, General=1)
    await refund_and_run(order_id, seats_return=True)
    assert (await left(event, "Early Bird"), await left(event)) == (1, 2)
    await buy(event, stripe, Early_Bird=1, General=1)
    assert await left(event) == 0
    counters = await db.fetchrow("SELECT held, sold FROM event")
    assert tuple(counters) == (0, 2)


@pytest.mark.parametrize("ends_as", [REQUESTED, FAILED])
async def test_seats_do_not_return_while_their_money_is_with_us(event, order_id, stripe, ends_as):
    refund_id = await refund(order_id, seats_return=True)
    if ends_as == FAILED:
        await stripe.dashboard(await intent_of(order_id), "refund", amount=1)
        await refunds.run(refund_id)
    assert await status(refund_id) == ends_as
    with pytest.raises(NothingToRefund):
        await refunds.return_seats(refund_id, actor=ADMIN)
    assert await left(event) == 3


async def test_there_are_no_seats_to_return_of_what_was_never_an_order(stripe):
    _, refund_id = await _captured_by_hand_without_seats(stripe)
    for unknown in (refund_id, uuid.uuid4()):
        with pytest.raises(NothingToRefund):
            await refunds.return_seats(unknown, actor=ADMIN)


@pytest.mark.parametrize("return_first", [True, False])
async def test_returning_seats_meets_the_news_that_the_refund_has_failed(stripe, return_first):
    event = await make_event(capacity=1)
    order_id = await pay_with(stripe, REFUND_FAILS, event)
    refund_id = await refund_and_run(order_id)
    await bank.decide(stripe, (await row(refund_id))["reference"], "fail")
    intent = await intent_of(order_id)
    deeds = [lambda: refunds.return_seats(refund_id, actor=ADMIN), lambda: refunds.sync(intent)]
    outcomes = await in_this_order(event.id, *(deeds if return_first else reversed(deeds)))
    assert (await validity(order_id), await left(event)) == ("v", 0), "taken back at once, or never given away"
    if return_first:
        assert outcomes[0] == 1
    else:
        assert isinstance(outcomes[1], NothingToRefund)


async def test_without_the_mark_on_the_ticket_a_seat_returns_twice(stripe):
    async with mutants.database_after():
        event = await make_event(capacity=5)
        refund_id = await refund_and_run(await buy(event, stripe, General=2))
        with mutants.sql("k.refund_id = $1 AND NOT k.returned", "k.refund_id = $1"):
            await refunds.return_seats(refund_id, actor=ADMIN)
            with mutants.breaks("event_sold_check", by=asyncpg.CheckViolationError):
                await refunds.return_seats(refund_id, actor=ADMIN)  # sold would fall below nought: the last wall


# Refunds made in the Dashboard


@pytest.mark.usefixtures("at_every_instant")
async def test_a_part_given_back_in_the_dashboard_appears_and_the_tickets_stay_valid(order_id, stripe):
    await stripe.dashboard(await intent_of(order_id), "refund", amount=2400)
    await refunds.sync(await intent_of(order_id))
    assert await known() == [(2400, SUCCEEDED, "OUTSIDE")]
    assert await validity(order_id) == "vv", "we cannot know which one was meant"
    assert await audit_trail() == [("Foyer", "refund found", "refund")]
    with pytest.raises(RefundTooLarge):
        await refund(order_id, Money(2401))


@pytest.mark.usefixtures("at_every_instant")
async def test_all_given_back_in_the_dashboard_makes_every_paid_ticket_invalid_and_tells_its_buyer(stripe):
    event = await make_event(ticket_type("Child", price=0), ticket_type(), capacity=4)
    order_id = await buy(event, stripe, Child=1, General=2)
    await stripe.dashboard(await intent_of(order_id), "refund")
    await refunds.sync(await intent_of(order_id))
    assert await validity(order_id) == "vii"
    assert await left(event) == 1, "its seats are for people to decide about"
    refund_id = await db.fetchval("SELECT id FROM refund")
    assert await mails() == [refund_id]
    assert await refunds.return_seats(refund_id, actor=ADMIN) == 2


@pytest.mark.usefixtures("at_every_instant")
async def test_parts_given_back_in_the_dashboard_add_up_to_all(order_id, stripe):
    for amount in (1000, 2000, 1800):
        await stripe.dashboard(await intent_of(order_id), "refund", amount=amount)
    await refunds.sync(await intent_of(order_id))
    assert sorted(a for a, _, _ in await known()) == [1000, 1800, 2000]
    assert await validity(order_id) == "ii"


async def test_a_refund_of_the_dashboard_is_taken_over_once_whoever_looks(order_id, stripe):
    await stripe.dashboard(await intent_of(order_id), "refund", amount=700)
    intent = await intent_of(order_id)
    await asyncio.gather(*(refunds.sync(intent) for _ in range(10)))
    await refunds.sync(intent)
    assert await known() == [(700, SUCCEEDED, "OUTSIDE")]
    assert len(await audit_trail()) == 1


async def test_a_refund_of_the_dashboard_that_fails_later_is_known_as_failed(stripe):
    order_id = await pay_with(stripe, REFUND_FAILS)
    there = await stripe.dashboard(await intent_of(order_id), "refund")
    await refunds.sync(await intent_of(order_id))
    assert await validity(order_id) == "i"
    await bank.decide(stripe, there["id"], "fail")
    await refunds.sync(await intent_of(order_id))
    assert (await known(), await validity(order_id)) == ([(2400, FAILED, "OUTSIDE")], "v")


async def test_a_refund_that_had_failed_before_we_heard_of_it_changes_nothing(stripe):
    order_id = await pay_with(stripe, REFUND_FAILS)
    there = await stripe.dashboard(await intent_of(order_id), "refund")
    await bank.decide(stripe, there["id"], "fail")
    await refunds.sync(await intent_of(order_id))
    assert (await known(), await validity(order_id), await mails()) == ([(2400, FAILED, "OUTSIDE")], "v", [])


async def test_a_second_refund_under_our_mark_is_not_overlooked(order_id, stripe):
    """Whoever made it, copied or twice: the money went."""
    refund_id = await refund_and_run(order_id, Money(1000))
    await _make_it_at_stripe(refund_id, attempt=99)
    await refunds.sync(await intent_of(order_id))
    assert await known() == [(1000, SUCCEEDED, "REQUESTED"), (1000, SUCCEEDED, "OUTSIDE")]


async def test_refunds_of_somebody_else_s_intent_are_left_alone(stripe):
    foreign = await gateway.current().create(payment_id=uuid.uuid4(), attempt=0, amount=999, currency="EUR")
    await stripe.pay(foreign.client_secret)
    await gateway.current().capture(foreign.reference)
    await stripe.dashboard(foreign.reference, "refund")
    await refunds.sync(foreign.reference)
    assert await known() == []


async def test_a_refund_before_our_tickets_were_made_leaves_none_valid(event, stripe):
    with patch.object(tickets, "issue", _not_now):
        order_id = await buy(event, stripe, General=2)
    await stripe.dashboard(await intent_of(order_id), "refund")
    await refunds.sync(await intent_of(order_id))
    assert await validity(order_id) == "ii"


async def test_a_refund_before_we_knew_that_the_money_was_taken_leaves_no_ticket_valid(event, stripe):
    """The answer to our capture was lost, and somebody gave the money back before anybody asked again."""
    checkout_id = await hold_with_buyer(event)
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await stripe.fault(op="payment_intents.capture", mode="drop_after", times=2)
    with pytest.raises(OutcomeUnknown):
        await settlement.settle(intent.reference)
    await stripe.dashboard(intent.reference, "refund")
    await refunds.sync(intent.reference)  # its notice is handled once, and does not come again
    await settlement.settle(intent.reference)
    assert await known() == [(2400, SUCCEEDED, "OUTSIDE")]
    assert await validity(await db.fetchval("SELECT id FROM orders")) == "i"


# The Dashboard's refund meets ours


async def _finish(order_id, refund_id):
    await work()
    await refunds.sync(await intent_of(order_id))
    await let_time_pass(hours=1)
    await work()


@pytest.mark.usefixtures("at_every_instant")
@pytest.mark.parametrize("looked_first", [True, False])
async def test_all_was_given_back_in_the_dashboard_before_ours_was_made(order_id, stripe, looked_first):
    refund_id = await refund(order_id)
    await stripe.dashboard(await intent_of(order_id), "refund")
    if looked_first:
        await refunds.sync(await intent_of(order_id))
        assert await known() == [(4800, REQUESTED, "REQUESTED")], "ours stands for the same money until it is refused"
    await _finish(order_id, refund_id)
    assert await known() == [(4800, FAILED, "REQUESTED"), (4800, SUCCEEDED, "OUTSIDE")]
    assert (await row(refund_id))["last_error"] == "given_back_elsewhere"
    assert await validity(order_id) == "ii"
    assert await amounts(stripe) == [4800]


@pytest.mark.usefixtures("at_every_instant")
@pytest.mark.parametrize("looked_first", [True, False])
async def test_so_much_was_given_back_in_the_dashboard_that_ours_has_no_room(order_id, stripe, looked_first):
    first, _ = await tickets_of(order_id, valid=True)
    refund_id = await refund(order_id, TheseTickets(frozenset({first})))
    await stripe.dashboard(await intent_of(order_id), "refund", amount=3000)
    if looked_first:
        await refunds.sync(await intent_of(order_id))
    await _finish(order_id, refund_id)
    assert await known() == [(2400, FAILED, "REQUESTED"), (3000, SUCCEEDED, "OUTSIDE")]
    assert await validity(order_id) == "vv", "which ticket the Dashboard meant is for people to say"


@pytest.mark.usefixtures("at_every_instant")
@pytest.mark.parametrize("looked_first", [True, False])
async def test_a_part_was_given_back_in_the_dashboard_and_ours_has_room(order_id, stripe, looked_first):
    first, _ = await tickets_of(order_id, valid=True)
    refund_id = await refund(order_id, TheseTickets(frozenset({first})))
    await stripe.dashboard(await intent_of(order_id), "refund", amount=1000)
    if looked_first:
        await refunds.sync(await intent_of(order_id))
    await _finish(order_id, refund_id)
    assert sorted(await known()) == [(1000, SUCCEEDED, "OUTSIDE"), (2400, SUCCEEDED, "REQUESTED")]
    assert await validity(order_id) == "iv"


@pytest.mark.usefixtures("at_every_instant")
async def test_the_rest_was_given_back_in_the_dashboard_after_ours(order_id, stripe):
    first, _ = await tickets_of(order_id, valid=True)
    await refund_and_run(order_id, TheseTickets(frozenset({first})))
    await stripe.dashboard(await intent_of(order_id), "refund")
    await refunds.sync(await intent_of(order_id))
    assert await known() == [(2400, SUCCEEDED, "REQUESTED"), (2400, SUCCEEDED, "OUTSIDE")]
    assert await validity(order_id) == "ii"


async def test_killed_between_giving_up_ours_and_taking_over_theirs(order_id, stripe):
    refund_id = await refund(order_id)
    await stripe.dashboard(await intent_of(order_id), "refund")
    with pytest.raises(Killed), before(refunds, "sync", _killed):
        await refunds.run(refund_id)
    await let_time_pass(minutes=1)
    await work()
    assert await known() == [(4800, FAILED, "REQUESTED"), (4800, SUCCEEDED, "OUTSIDE")]
    assert await validity(order_id) == "ii", "the money is gone: no ticket may open a door"


async def test_a_refund_that_is_given_up_waits_for_the_event_s_lock_like_every_other(event, order_id, stripe):
    refund_id = await refund(order_id)
    await stripe.dashboard(await intent_of(order_id), "refund")
    async with lock_held(event.id):
        running = asyncio.ensure_future(refunds.run(refund_id))
        await waiting_for_a_lock(1)
        assert await status(refund_id) == REQUESTED
    await running
    assert await status(refund_id) == FAILED


@pytest.mark.parametrize("amount", [4800, 2400, 1000])
async def test_ours_and_the_dashboard_s_at_the_very_same_time(order_id, stripe, amount):
    refund_id = await refund(order_id, Money(2400))
    intent = await intent_of(order_id)

    async def meanwhile():
        await stripe.dashboard(intent, "refund", amount=amount)

    with before(gateway.current(), "refund", meanwhile):
        await asyncio.gather(refunds.run(refund_id), refunds.sync(intent), return_exceptions=True)
    await _finish(order_id, refund_id)
    theirs = sorted((r["amount"], r["id"]) for r in await at_stripe(stripe))
    ours = await db.fetch("SELECT amount, reference FROM refund WHERE status <> 'FAILED'")
    assert sorted(map(tuple, ours)) == theirs, "both books say the same"
    assert await validity(order_id) == ("ii" if sum(await amounts(stripe)) == 4800 else "vv")


# Nobody blocks anybody for ever


async def test_requests_runs_looks_and_settlements_at_once_end_without_a_deadlock(event, stripe):
    orders = [await buy(event, stripe) for _ in range(2)]
    waiting = await hold_with_buyer(event)
    paying = await start_paying(waiting)
    await stripe.pay(paying.client_secret)
    await stripe.dashboard(await intent_of(orders[0]), "refund", amount=500)
    deeds = [settlement.settle(paying.reference) for _ in range(5)]
    for order_id in orders:
        intent = await intent_of(order_id)
        deeds += [refund(order_id, Money(300), seats_return=True) for _ in range(4)]
        deeds += [refunds.sync(intent) for _ in range(4)]
    deeds += [work() for _ in range(3)]
    outcomes = await asyncio.gather(*deeds, return_exceptions=True)
    assert [o for o in outcomes if isinstance(o, Exception)] == []
    await work()
    for order_id in orders:
        await refunds.sync(await intent_of(order_id))
    assert sum(await amounts(stripe)) == await db.fetchval("SELECT sum(amount) FROM refund") == 500 + 8 * 300


# Case 22: captured by hand where nothing could be given for it


async def _captured_by_hand_without_seats(stripe):
    event = await make_event(capacity=1)
    checkout_id = await hold_with_buyer(event)
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await let_time_run_out(checkout_id)
    await hold(event)
    await stripe.dashboard(intent.reference, "capture")
    await settlement.settle(intent.reference)
    return intent, await db.fetchval("SELECT id FROM refund")


@pytest.mark.usefixtures("at_every_instant")
async def test_case_22_money_without_seats_goes_back_exactly_once_and_its_buyer_is_told(stripe):
    intent, refund_id = await _captured_by_hand_without_seats(stripe)
    assert await known() == [(2400, REQUESTED, "NO_SEATS")]
    for _ in range(3):
        await work()
        await settlement.settle(intent.reference)
        await refunds.sync(intent.reference)
        await let_time_pass(minutes=5)
    await _is_one_refund(stripe, refund_id, 2400)
    assert await db.fetchval("SELECT count(*) FROM orders") == 0


async def test_case_22_twenty_settlements_at_once_send_it_back_once(stripe, event):
    checkout_id = await hold_with_buyer(event)
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await stripe.dashboard(intent.reference, "capture", amount_to_capture=1000)
    await asyncio.gather(*(settlement.settle(intent.reference) for _ in range(20)))
    await asyncio.gather(*(work() for _ in range(3)))
    assert await amounts(stripe) == [1000]
    assert await known() == [(1000, SUCCEEDED, "NO_SEATS")]


@pytest.mark.usefixtures("at_every_instant")
@pytest.mark.parametrize(("asked", "captured"), [(2400, 1000), (3000, 3000), (3000, 2400), (100, 100)])
async def test_case_22_another_amount_than_ours_goes_back_and_the_buyer_may_pay_again(event, stripe, asked, captured):
    checkout_id = await hold_with_buyer(event)
    intent = await start_paying(checkout_id)
    if asked != 2400:
        await stripe.change_amount(intent.reference, asked)
    await stripe.pay(intent.client_secret)
    await stripe.dashboard(intent.reference, "capture", amount_to_capture=captured)
    await settlement.settle(intent.reference)
    payment = await db.fetchrow("SELECT status, captured FROM payment")
    if captured == 2400:  # what was taken is what we had asked for, whatever was granted
        assert payment["status"] == PaymentStatus.CAPTURED
        return
    assert tuple(payment) == (PaymentStatus.REFUNDED, captured)
    assert (await visit(checkout_id)).state == HoldState.HELD
    await work()
    assert await amounts(stripe) == [captured]
    again = await start_paying(checkout_id)
    assert again.reference != intent.reference
    await stripe.pay(again.client_secret)
    await settlement.settle(again.reference)
    assert (await visit(checkout_id)).state == HoldState.PAID
    assert await amounts(stripe) == [captured]


async def test_case_22_money_in_a_currency_that_nobody_asked_for_goes_back_in_it(event, stripe):
    checkout_id = await hold_with_buyer(event)
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await stripe.dashboard(intent.reference, "capture")
    retrieve = gateway.current().retrieve

    async def in_dollars(reference):
        return replace(await retrieve(reference), currency="USD")

    with patch.object(gateway.current(), "retrieve", in_dollars):
        await settlement.settle(intent.reference)
    assert await db.fetchval("SELECT currency FROM refund") == "USD"
    await work()
    assert await amounts(stripe) == [2400]


async def test_case_22_a_part_taken_by_hand_while_we_were_taking_the_whole_unpins_the_hold(event, stripe):
    checkout_id = await hold_with_buyer(event)
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    before_it = (await visit(checkout_id)).checkout["expires_at"]
    await stripe.fault(op="payment_intents.capture", mode="drop_before", times=2)
    with pytest.raises(OutcomeUnknown):
        await settlement.settle(intent.reference)
    await stripe.dashboard(intent.reference, "capture", amount_to_capture=1000)
    await settlement.settle(intent.reference)
    assert await db.fetchval("SELECT expires_at FROM reservation") == before_it
    await work()
    assert await amounts(stripe) == [1000]


async def test_case_22_money_without_seats_that_somebody_gave_back_by_hand_is_not_given_back_again(stripe):
    event = await make_event(capacity=1)
    checkout_id = await hold_with_buyer(event)
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await let_time_run_out(checkout_id)
    await hold(event)
    await stripe.dashboard(intent.reference, "capture")
    await stripe.dashboard(intent.reference, "refund")
    await settlement.settle(intent.reference)
    await work()
    assert await amounts(stripe) == [2400]
    assert await known() == [(2400, FAILED, "NO_SEATS"), (2400, SUCCEEDED, "OUTSIDE")]


# Notices lead here


@pytest.mark.parametrize(
    "kind", ["refund.created", "refund.updated", "refund.failed", "charge.refunded", "charge.refund.updated"]
)
async def test_every_notice_about_a_refund_leads_to_a_look(order_id, stripe, kind):
    intent = await intent_of(order_id)
    await stripe.dashboard(intent, "refund", amount=700)
    assert await notices.keep(gateway.Notice("evt_1", kind, intent, None, False, "{}"))
    assert await notices.handle_due() == 1
    assert await known() == [(700, SUCCEEDED, "OUTSIDE")]


# Makers


def _no_locks():
    """Neither the event's lock nor the payment's."""
    return _both(
        mutants.sql("FOR NO KEY UPDATE", ""), mutants.sql(refunds.LOCK_PAYMENT, "SELECT 1 WHERE $1::uuid IS NOT NULL")
    )


class _both:
    def __init__(self, *contexts):
        self._contexts = contexts

    def __enter__(self):
        for context in self._contexts:
            context.__enter__()

    def __exit__(self, *error):
        for context in reversed(self._contexts):
            context.__exit__(*error)


async def _killed():
    raise Killed


async def _not_now(*_):
    """The worker will do it."""


async def _free_payment(checkout_id):
    payment_id = uuid.uuid4()
    await db.execute(
        "INSERT INTO payment (id, checkout_id, provider, amount, currency) VALUES ($1, $2, 'free', 0, 'EUR')",
        payment_id,
        checkout_id,
    )
    return payment_id


async def _make_it_at_stripe(refund_id, *, attempt=0):
    ours = await row(refund_id)
    reference = await db.fetchval("SELECT reference FROM payment WHERE id = $1", ours["payment_id"])
    return await gateway.current().refund(
        refund_id=refund_id,
        attempt=attempt,
        reference=reference,
        amount=ours["amount"],
        currency="EUR",
        reason=RefundReason(ours["reason"]),
    )


def _as(made, status):
    return replace(made, status=status)
