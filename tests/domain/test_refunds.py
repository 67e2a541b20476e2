"""Refunds: what goes back of what was taken, and which tickets it makes invalid (domain.refunds)."""

import uuid

import pytest

from domain.errors import NothingToRefund, RefundTooLarge, TicketsNotRefundable
from domain.refunds import (
    DESK_REASONS,
    NEXT,
    Everything,
    Money,
    PaidTicket,
    RefundPlan,
    RefundReason,
    RefundStatus,
    TheseTickets,
    is_same_wish,
    plan,
)

DEAR, CHEAP, GIFT = (PaidTicket(uuid.uuid4(), price) for price in (4800, 2400, 0))
ORDER = (DEAR, CHEAP, GIFT)
TAKEN = 7200


def planned(wish, *, taken=TAKEN, gone_back=0, valid=ORDER):
    return plan(wish, taken=taken, gone_back=gone_back, valid=valid)


def these(*tickets, amount=None):
    return TheseTickets(ids(*tickets), amount)


def ids(*tickets):
    return frozenset(ticket.id for ticket in tickets)


def test_everything_is_all_that_is_left_and_every_ticket():
    assert planned(Everything()) == plan_of(7200, *ORDER)
    assert planned(Everything(), gone_back=1000) == plan_of(6200, *ORDER)
    assert planned(Everything(), gone_back=4800, valid=(CHEAP, GIFT)) == plan_of(2400, CHEAP, GIFT)


def test_tickets_go_back_at_what_was_paid_for_them():
    assert planned(these(DEAR)) == plan_of(4800, DEAR)
    assert planned(these(CHEAP, GIFT)) == plan_of(2400, CHEAP, GIFT)


def test_tickets_may_go_back_at_less_but_not_at_more():
    assert planned(these(DEAR, amount=3000)) == plan_of(3000, DEAR)
    with pytest.raises(RefundTooLarge) as refusal:
        planned(these(DEAR, amount=4801))
    assert refusal.value.most == 4800


def test_an_amount_alone_makes_no_ticket_invalid():
    assert planned(Money(1)) == plan_of(1)
    assert planned(Money(7199)) == plan_of(7199)


@pytest.mark.parametrize(
    ("wish", "gone_back", "valid"),
    [
        (Money(7200), 0, ORDER),
        (Money(200), 7000, ORDER),
        (these(DEAR), 2400, ORDER),
        (these(DEAR, amount=200), 7000, (DEAR, CHEAP, GIFT)),
    ],
)
def test_after_the_last_of_the_money_no_ticket_that_cost_something_admits(wish, gone_back, valid):
    assert planned(wish, gone_back=gone_back, valid=valid).tickets >= ids(DEAR, CHEAP)
    assert GIFT.id not in planned(wish, gone_back=gone_back, valid=valid).tickets, "it had no money to go back"


@pytest.mark.parametrize("wish", [Money(7201), Money(10**12)])
def test_more_than_was_taken_is_refused_with_what_would_do(wish):
    with pytest.raises(RefundTooLarge) as refusal:
        planned(wish)
    assert refusal.value.most == 7200


def test_more_than_is_left_is_refused_with_what_would_do():
    with pytest.raises(RefundTooLarge) as refusal:
        planned(Money(1001), gone_back=6200)
    assert refusal.value.most == 1000
    with pytest.raises(RefundTooLarge) as refusal:
        planned(these(DEAR, CHEAP), gone_back=1000)
    assert refusal.value.most == 6200
    with pytest.raises(RefundTooLarge) as refusal:
        planned(these(DEAR, amount=4801), gone_back=6200)
    assert refusal.value.most == 1000


@pytest.mark.parametrize("wish", [Money(0), Money(-1), these(), these(DEAR, amount=-1)])
def test_nothing_and_less_than_nothing_is_refused(wish):
    with pytest.raises(NothingToRefund):
        planned(wish)


def test_everything_of_an_order_without_money_or_tickets_left_is_nothing():
    with pytest.raises(NothingToRefund):
        planned(Everything(), gone_back=7200, valid=())


def test_tickets_that_cost_nothing_are_cancelled_without_money():
    assert planned(Everything(), taken=0, valid=(GIFT,)) == plan_of(0, GIFT)
    assert planned(these(GIFT)) == plan_of(0, GIFT)
    assert planned(Everything(), gone_back=7200, valid=(GIFT,)) == plan_of(0, GIFT)


def test_a_ticket_of_another_order_or_one_that_went_back_is_refused():
    with pytest.raises(TicketsNotRefundable):
        planned(these(DEAR, PaidTicket(uuid.uuid4(), 1)))
    with pytest.raises(TicketsNotRefundable):
        planned(these(DEAR), gone_back=4800, valid=(CHEAP, GIFT))


def test_money_that_a_failed_refund_left_with_us_can_go_back_although_its_ticket_is_gone():
    """Its seat was sold again before the bank said no."""
    assert planned(Money(4800), valid=(CHEAP, GIFT)) == plan_of(4800)
    assert planned(Everything(), valid=(CHEAP, GIFT)) == plan_of(7200, CHEAP, GIFT)


def test_the_house_s_own_reasons_are_not_for_the_desk():
    own = {RefundReason.NO_SEATS, RefundReason.OUTSIDE, RefundReason.DISPUTED}
    assert set(RefundReason) - set(DESK_REASONS) == own


def test_a_refund_only_moves_forward_and_failed_is_the_end():
    assert RefundStatus.FAILED not in NEXT
    assert NEXT[RefundStatus.SUCCEEDED] == {RefundStatus.FAILED}, "a bank may still say no"
    assert all(RefundStatus.REQUESTED not in after for after in NEXT.values())


@pytest.mark.parametrize(
    ("wish", "amount", "tickets", "same"),
    [
        (Everything(), 7200, ORDER, True),
        (Everything(), 7200, (DEAR, CHEAP), False),
        (Everything(), 500, (), False),
        (Money(500), 500, (), True),
        (Money(500), 400, (), False),
        (Money(7200), 7200, (DEAR, CHEAP), True),
        (Money(4800), 4800, (DEAR,), True),
        (these(DEAR), 4800, (DEAR,), True),
        (these(DEAR), 4800, (DEAR, CHEAP), True),
        (these(CHEAP), 4800, (DEAR,), False),
        (these(DEAR, CHEAP), 4800, (DEAR,), False),
        (these(DEAR, amount=3000), 3000, (DEAR,), True),
        (these(DEAR, amount=3000), 4800, (DEAR,), False),
    ],
)
def test_whether_a_refund_is_what_the_same_key_now_asks_for(wish, amount, tickets, same):
    others = set(ORDER) - set(tickets)
    assert is_same_wish(wish, amount=amount, tickets=ids(*tickets), some_still_admit=bool(others)) is same


def plan_of(amount, *tickets):
    return RefundPlan(amount, ids(*tickets))
