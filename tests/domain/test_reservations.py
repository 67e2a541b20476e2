"""Holds: how long they live, and how they stand."""

from datetime import timedelta

import pytest

from domain.payments import PaymentStatus
from domain.reservations import HOLD, PIN, HoldState, ReservationStatus, hold_state, is_live
from tests.makers import NOW


def test_ac_7_a_hold_lasts_fifteen_minutes():
    assert timedelta(minutes=15) == HOLD


def test_a_pin_outlives_every_authorisation_a_bank_gives():
    assert timedelta(days=7) <= PIN


def test_1_5_1_a_hold_lives_until_its_end_and_not_at_it():
    def live(seconds):
        return is_live(status="ACTIVE", expires_at=NOW + timedelta(seconds=seconds), now=NOW)

    assert live(1)
    assert not live(0)
    assert not live(-1)


@pytest.mark.parametrize("status", [ReservationStatus.EXPIRED, ReservationStatus.CONSUMED])
def test_1_5_1_what_is_not_active_is_no_hold_whatever_its_time_says(status):
    assert not is_live(status=status, expires_at=NOW + timedelta(hours=1), now=NOW)


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({}, HoldState.HELD),
        ({"seconds": 0}, HoldState.ENDED),
        ({"holding": False}, HoldState.ENDED),
        ({"given_back": True, "holding": False}, HoldState.GIVEN_BACK),
        ({"payment_status": PaymentStatus.OPEN}, HoldState.HELD),
        ({"payment_status": PaymentStatus.OPEN, "seconds": 0}, HoldState.ENDED),
        ({"payment_status": PaymentStatus.CAPTURING, "seconds": -60}, HoldState.CONFIRMING),
        ({"payment_status": PaymentStatus.VOIDING, "holding": False}, HoldState.LETTING_GO),
        ({"payment_status": PaymentStatus.VOIDING, "given_back": True}, HoldState.LETTING_GO),
        ({"payment_status": PaymentStatus.VOIDED, "holding": False}, HoldState.ENDED),
        ({"paid": True, "payment_status": PaymentStatus.CAPTURED, "seconds": -60}, HoldState.PAID),
    ],
)
def test_1_3_3_a_hold_stands_as_its_page_says(facts, state):
    seconds = facts.pop("seconds", 60)
    usual = {"paid": False, "payment_status": None, "given_back": False, "holding": True}
    assert hold_state(**(usual | facts), expires_at=NOW + timedelta(seconds=seconds), now=NOW) == state
