"""Comparison: where the provider's book and ours must agree (domain.comparison)."""

import pytest

from domain.comparison import Kind, Outcome, Page, differences, gone_back, our_outcome
from domain.payments import AT_REST, PaymentStatus
from domain.refunds import RefundStatus

PAID = Page(Outcome.TAKEN, 2400, "EUR")


def theirs(outcome=Outcome.TAKEN, amount=2400, currency="EUR", gone_back=0):
    return Page(outcome, amount, currency, gone_back)


def test_books_that_say_the_same_do_not_differ():
    assert differences(theirs(), PAID) == []
    assert differences(theirs(gone_back=700), Page(Outcome.TAKEN, 2400, "EUR", 700)) == []


@pytest.mark.parametrize("ours", Outcome)
@pytest.mark.parametrize("said", Outcome)
def test_another_outcome_is_one_difference_whatever_else_differs(said, ours):
    found = differences(theirs(said, amount=1, gone_back=1), Page(ours, 2400, "EUR"))
    if said != ours:
        assert found == [Kind.OUTCOME]


@pytest.mark.parametrize("outcome", [Outcome.NOTHING, Outcome.SET_ASIDE])
def test_an_amount_that_was_not_taken_is_nobody_s_matter(outcome):
    assert differences(theirs(outcome, amount=1), Page(outcome, 2400, "EUR")) == []


def test_amount_currency_and_refunds_are_told_apart():
    assert differences(theirs(amount=2399), PAID) == [Kind.AMOUNT]
    assert differences(theirs(currency="USD"), PAID) == [Kind.AMOUNT]
    assert differences(theirs(gone_back=1), PAID) == [Kind.REFUNDS]
    assert differences(theirs(amount=2399, gone_back=1), PAID) == [Kind.AMOUNT, Kind.REFUNDS]


def test_a_payment_that_is_still_on_its_way_is_not_judged():
    for status in PaymentStatus:
        assert (our_outcome(status) is None) == (status not in AT_REST)


def test_money_that_was_sent_back_was_taken_all_the_same():
    assert our_outcome(PaymentStatus.REFUNDED) == our_outcome(PaymentStatus.CAPTURED) == Outcome.TAKEN
    assert our_outcome(PaymentStatus.VOIDED) == Outcome.NOTHING


def test_what_went_back_is_what_the_provider_has_and_has_not_failed():
    each = [(status, 10**n) for n, status in enumerate(RefundStatus)]
    assert [status for status, _ in each] == ["REQUESTED", "PENDING", "SUCCEEDED", "FAILED"]
    assert gone_back(each) == 110
