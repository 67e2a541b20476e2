"""Money goes back: all, in parts, never twice, never more than was taken, whoever sends it."""

from uuid import UUID, uuid4

import pytest

from domain.errors import RefundTooLarge
from domain.refunds import Everything, Money, RefundReason, RefundStatus, RefundWish
from models import database as db
from services import gateway, refunds, stripe_gateway
from services.audit import Actor
from services.gateway import RequestRefused
from tasks import jobs
from tests.makers import key
from tests.provider.hands import SLOW_TO_REFUND, Hands
from tests.provider.purchase import Purchase

DESK = Actor(None, "the desk")
THERE = (RefundStatus.PENDING, RefundStatus.SUCCEEDED)


async def test_a_full_refund_goes_back_once_however_often_it_is_run(hands: Hands):
    purchase = await Purchase.complete(hands, General=2)
    refund_id = await _ask_back(purchase, Everything())
    for _ in range(3):
        await refunds.run(refund_id)
    (theirs,) = await purchase.refunds()
    assert (theirs.amount, theirs.currency, theirs.refund_id) == (4800, "EUR", refund_id)
    assert await _status(refund_id) in THERE
    assert await db.fetchval("SELECT count(*) FROM ticket WHERE refund_id IS NULL") == 0


async def test_parts_go_back_until_nothing_is_left(hands: Hands):
    purchase = await Purchase.complete(hands)
    for amount in (1000, 400):
        await refunds.run(await _ask_back(purchase, Money(amount)))
    with pytest.raises(RefundTooLarge) as refusal:
        await _ask_back(purchase, Money(1001))
    assert refusal.value.most == 1000
    await refunds.run(await _ask_back(purchase, Everything()))
    assert sorted(r.amount for r in await purchase.refunds()) == [400, 1000, 1000]


async def test_when_the_answer_about_a_refund_is_lost_it_is_found_and_not_made_again(hands: Hands):
    purchase = await Purchase.complete(hands)
    refund_id = await _ask_back(purchase, Money(700))
    hands.wire.lose("refund", times=2)
    with pytest.raises(gateway.OutcomeUnknown):
        await refunds.run(refund_id)
    assert await _status(refund_id) == RefundStatus.REQUESTED
    await refunds.run(refund_id)
    assert [r.amount for r in await purchase.refunds()] == [700]
    assert await _status(refund_id) in THERE


async def test_the_same_key_sends_money_back_once(hands: Hands):
    purchase = await Purchase.complete(hands)
    refund_id = uuid4()
    first, second = [await _refund(purchase, refund_id, 500) for _ in range(2)]
    assert first.reference == second.reference
    assert [r.amount for r in await purchase.refunds()] == [500]


async def test_more_than_was_taken_is_refused(hands: Hands):
    purchase = await Purchase.complete(hands)
    with pytest.raises(RequestRefused):
        await _refund(purchase, uuid4(), 2401)
    await _refund(purchase, uuid4(), 2000)
    with pytest.raises(RequestRefused):
        await _refund(purchase, uuid4(), 401)
    assert [status for status, _ in hands.wire.codes("refund")] == [400, 400]
    assert [r.amount for r in await purchase.refunds()] == [2000]


async def test_what_has_all_gone_back_cannot_go_back_again(hands: Hands):
    purchase = await Purchase.complete(hands)
    await _refund(purchase, uuid4(), 2400)
    with pytest.raises(RequestRefused) as refusal:
        await _refund(purchase, uuid4(), 1)
    assert refusal.value.code == "charge_already_refunded"


async def test_what_was_only_set_aside_cannot_go_back(hands: Hands):
    purchase = await Purchase.begin(hands)
    await purchase.authorise()
    with pytest.raises(RequestRefused):
        await _refund(purchase, uuid4(), 2400)
    assert await purchase.refunds() == []


async def test_a_refund_made_in_the_dashboard_is_taken_over(hands: Hands):
    purchase = await Purchase.complete(hands)
    theirs = await hands.refund(purchase.reference, 2400)
    await refunds.sync(purchase.reference)
    ours = await db.fetchrow("SELECT * FROM refund WHERE reference = $1", theirs)
    assert (ours["amount"], ours["reason"]) == (2400, "OUTSIDE")
    assert await db.fetchval("SELECT refund_id FROM ticket") == ours["id"], "its ticket admits nobody"


async def test_a_refund_that_the_dashboard_was_quicker_with_is_given_up(hands: Hands):
    purchase = await Purchase.complete(hands)
    refund_id = await _ask_back(purchase, Everything())
    await hands.refund(purchase.reference)
    await refunds.run(refund_id)
    row = await db.fetchrow("SELECT status, last_error FROM refund WHERE id = $1", refund_id)
    assert tuple(row) == ("FAILED", "given_back_elsewhere")
    assert [r.amount for r in await purchase.refunds()] == [2400]


async def test_a_card_that_is_slow_to_take_its_money_back_is_pending(hands: Hands):
    purchase = await Purchase.complete(hands, card=SLOW_TO_REFUND)
    refund_id = await _ask_back(purchase, Everything())
    await jobs.drain_outbox({})
    assert await _status(refund_id) in THERE
    assert await db.fetchval("SELECT count(*) FROM outbox WHERE kind = 'refund' AND done_at IS NULL") == 0


async def test_refunds_are_read_to_the_last_page(hands: Hands, monkeypatch: pytest.MonkeyPatch):
    purchase = await Purchase.complete(hands)
    for amount in (100, 200, 300):
        await _refund(purchase, uuid4(), amount)
    monkeypatch.setattr(stripe_gateway, "PAGE", 2)
    assert sorted(r.amount for r in await purchase.refunds()) == [100, 200, 300]


async def _ask_back(purchase: Purchase, wish: RefundWish) -> UUID:
    return await refunds.request(
        (await purchase.order())["id"],
        wish,
        reason=RefundReason.REQUESTED,
        note="",
        seats_return=False,
        request_key=key(),
        actor=DESK,
    )


async def _refund(purchase: Purchase, refund_id: UUID, amount: int):
    return await gateway.current().refund(
        refund_id=refund_id,
        attempt=0,
        reference=purchase.reference,
        amount=amount,
        currency="EUR",
        reason=RefundReason.REQUESTED,
    )


async def _status(refund_id: UUID) -> str:
    return await db.fetchval("SELECT status FROM refund WHERE id = $1", refund_id)
