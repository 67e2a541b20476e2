"""The one decision about money that wants seats, and where a payment may go from where it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.payments import AT_REST, LIVE, NEXT, Authorisation, PaymentStatus, Verdict, verdict

ASKED = Authorisation(4800, "EUR")


def rule(granted=ASKED, *, hold_lives, still_fits):
    return verdict(granted, asked=ASKED, hold_lives=hold_lives, still_fits=still_fits)


def test_1_5_money_for_a_living_hold_nails_the_seats_down():
    assert rule(hold_lives=True, still_fits=False) == Verdict.PIN


def test_late_money_takes_the_seats_again_if_they_still_fit():
    assert rule(hold_lives=False, still_fits=True) == Verdict.REBOOK


def test_late_money_without_seats_is_let_go():
    assert rule(hold_lives=False, still_fits=False) == Verdict.LET_GO


@pytest.mark.parametrize(
    "granted",
    [Authorisation(4799, "EUR"), Authorisation(4801, "EUR"), Authorisation(0, "EUR"), Authorisation(4800, "USD")],
)
def test_another_amount_or_currency_is_let_go_whatever_the_seats_say(granted):
    assert rule(granted, hold_lives=True, still_fits=True) == Verdict.LET_GO


@given(st.integers(0, 10), st.integers(0, 10), st.booleans(), st.booleans())
def test_money_is_only_ever_taken_for_the_amount_asked_and_for_seats_that_are_there(granted, asked, lives, fits):
    ruling = verdict(
        Authorisation(granted, "EUR"), asked=Authorisation(asked, "EUR"), hold_lives=lives, still_fits=fits
    )
    assert (ruling != Verdict.LET_GO) == (granted == asked and (lives or fits))


def test_a_payment_at_rest_stays_at_rest_unless_someone_takes_the_money_by_hand():
    onwards = {status: NEXT.get(status, frozenset()) for status in AT_REST}
    assert onwards == {
        PaymentStatus.CAPTURED: frozenset(),
        PaymentStatus.VOIDED: {PaymentStatus.REFUNDED},
        PaymentStatus.REFUNDED: frozenset(),
    }


def test_money_is_taken_only_from_a_pinned_hold():
    assert [status for status, following in NEXT.items() if PaymentStatus.CAPTURED in following] == [
        PaymentStatus.CAPTURING
    ]


def test_a_checkout_has_one_live_payment_and_only_one_that_charges_nobody_makes_room_for_another():
    assert set(PaymentStatus) - LIVE == {PaymentStatus.VOIDED, PaymentStatus.REFUNDED}
