"""Hours and days as clocks there show them, and sums that never add up different currencies."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from domain.sales import QUARTER, Period, Quarter, Sum, by_period, days, hours, together, total

VIENNA = ZoneInfo("Europe/Vienna")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def sale(when: str, *, tickets: int = 1, amount: int = 2400, currency: str = "EUR") -> Quarter:
    return Quarter(at(when), currency, 1, tickets, amount)


def clocks(periods: list[Period], zone: ZoneInfo) -> list[str]:
    return [period.start.astimezone(zone).strftime("%H:%M") for period in periods]


def lengths(periods: list[Period]) -> list[float]:
    return [(period.end - period.start) / timedelta(hours=1) for period in periods]


def test_the_last_hour_is_the_one_that_is_going_on():
    found = hours(at("2026-12-01T19:41"), VIENNA, 3)
    assert clocks(found, VIENNA) == ["18:00", "19:00", "20:00"]
    assert found[-1].start <= at("2026-12-01T19:41") < found[-1].end


def test_the_hour_that_comes_twice_is_there_twice():
    """In Vienna clocks go back from 03:00 to 02:00 on 25 October 2026."""
    found = hours(at("2026-10-25T03:10"), VIENNA, 5)
    assert clocks(found, VIENNA) == ["01:00", "02:00", "02:00", "03:00", "04:00"]
    assert lengths(found) == [1.0] * 5


def test_the_hour_that_is_left_out_is_left_out():
    """And forward from 02:00 to 03:00 on 29 March 2026."""
    assert clocks(hours(at("2026-03-29T02:30"), VIENNA, 4), VIENNA) == ["00:00", "01:00", "03:00", "04:00"]


@pytest.mark.parametrize(("zone", "first"), [("Asia/Kolkata", "18:30"), ("Asia/Kathmandu", "18:15")])
def test_hours_begin_where_clocks_there_say_so(zone, first):
    found = hours(at("2026-12-01T18:40"), ZoneInfo(zone), 1)
    assert found[0].start == at(f"2026-12-01T{first}")


@pytest.mark.parametrize("zone", ["Australia/Lord_Howe", "America/St_Johns", "Africa/Cairo", "Pacific/Apia", "UTC"])
def test_everywhere_and_always_hours_and_days_follow_one_another_without_a_gap(zone):
    moment, there = at("2026-01-01T00:07"), ZoneInfo(zone)
    while moment < at("2027-01-01T00:00"):
        for periods in (hours(moment, there, 24), days(moment, there, 14)):
            assert periods[-1].start <= moment < periods[-1].end
            assert all(one.end == next_one.start for one, next_one in pairwise(periods))
            assert all((period.start.timestamp() % QUARTER.total_seconds()) == 0 for period in periods)
        moment += timedelta(hours=7)


def test_a_day_goes_from_midnight_to_midnight_and_may_have_23_or_25_hours():
    assert lengths(days(at("2026-03-30T10:00"), VIENNA, 3)) == [24, 23, 24]
    assert lengths(days(at("2026-10-26T10:00"), VIENNA, 3)) == [24, 25, 24]
    assert days(at("2026-12-01T23:30"), VIENNA, 1)[0].start == at("2026-12-01T23:00"), "there it is tomorrow already"


def test_each_sale_lies_in_its_period_and_what_lies_outside_is_left_out():
    periods = hours(at("2026-12-01T12:20"), ZoneInfo("UTC"), 3)
    sold = [
        sale("2026-12-01T12:15"),
        sale("2026-12-01T09:45"),
        sale("2026-12-01T10:00", tickets=4),
        sale("2026-12-01T13:00"),
    ]
    assert [found.tickets for found in by_period(sold, periods)] == [4, 0, 1]


def test_currencies_are_never_added_up():
    found = total(
        [sale("2026-12-01T12:00"), sale("2026-12-01T12:00", amount=900, currency="CHF"), sale("2026-12-01T12:15")]
    )
    assert found == Sum(3, 3, {"EUR": 4800, "CHF": 900})
    assert together([found, found]) == Sum(6, 6, {"EUR": 9600, "CHF": 1800})


def test_nothing_sold_is_nothing():
    assert total([]) == Sum()
    assert by_period([], []) == []
