"""What organisers type on the clock of a place, on ordinary days and on the two odd ones of a year."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import local_time
from domain.local_time import NoSuchTime

VIENNA, NEW_YORK, LORD_HOWE, APIA = map(
    ZoneInfo, ("Europe/Vienna", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia")
)
ZONES = st.sampled_from([VIENNA, NEW_YORK, LORD_HOWE, APIA, ZoneInfo("Asia/Kathmandu"), UTC])


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


TIMES = st.datetimes(at("1990-01-01"), at("2050-01-01")).map(lambda t: t.replace(second=0, microsecond=0))


def test_a_clock_time_is_a_moment_in_its_zone():
    assert local_time.moment(at("2027-01-23T14:00"), VIENNA) == at("2027-01-23T13:00+00:00")
    assert local_time.moment(at("2027-07-23T14:00"), VIENNA) == at("2027-07-23T12:00+00:00")


@pytest.mark.parametrize(
    ("zone", "typed", "exists"),
    [
        (VIENNA, "2027-03-28T02:00", "2027-03-28T03:00"),
        (VIENNA, "2027-03-28T02:30", "2027-03-28T03:00"),
        (VIENNA, "2027-03-28T02:59", "2027-03-28T03:00"),
        (NEW_YORK, "2027-03-14T02:15", "2027-03-14T03:00"),
        (LORD_HOWE, "2027-10-03T02:10", "2027-10-03T02:30"),  # half an hour only
        (APIA, "2011-12-30T12:00", "2011-12-31T00:00"),  # Samoa went without this day
    ],
)
def test_a_time_that_clocks_jump_over_is_refused_with_the_next_that_they_show(zone, typed, exists):
    with pytest.raises(NoSuchTime) as refusal:
        local_time.moment(at(typed), zone)
    assert refusal.value.next_local == at(exists)


def test_of_an_hour_that_comes_twice_the_first_is_meant():
    moment = local_time.moment(at("2027-10-31T02:30"), VIENNA)
    assert moment == at("2027-10-31T00:30+00:00")
    assert local_time.comes_twice(moment, VIENNA)
    assert local_time.comes_twice(moment + timedelta(hours=1), VIENNA)
    assert not local_time.comes_twice(moment - timedelta(hours=1), VIENNA)
    assert not local_time.comes_twice(moment, UTC)


def test_another_zone_keeps_what_the_clock_shows():
    moment = at("2027-01-23T14:00+00:00")
    assert local_time.carried(moment, UTC, VIENNA) == at("2027-01-23T13:00+00:00")
    assert local_time.carried(at("2027-03-28T02:30+00:00"), UTC, VIENNA) == at("2027-03-28T01:00+00:00")


def test_what_lies_in_an_hour_that_clocks_jump_over_there_lasts_as_long_as_it_did():
    start, end = at("2027-03-28T02:10+00:00"), at("2027-03-28T02:50+00:00")
    carried = local_time.carried_span(start, end, UTC, VIENNA)
    assert carried == (at("2027-03-28T01:00+00:00"), at("2027-03-28T01:40+00:00"))
    assert local_time.carried_span(start, None, UTC, VIENNA) == (at("2027-03-28T01:00+00:00"), None)
    assert local_time.carried_span(None, None, UTC, VIENNA) == (None, None)


def test_what_begins_and_ends_in_an_hour_that_comes_twice_is_never_turned_around():
    start, end = at("2027-10-31T00:50+00:00"), at("2027-10-31T01:10+00:00")  # 02:50, and 02:10 the second time
    first, last = local_time.carried_span(start, end, VIENNA, UTC)
    assert (first, last) == (at("2027-10-31T02:50+00:00"), at("2027-10-31T03:10+00:00"))


def test_the_end_moves_along_by_the_clock_also_into_summer_time():
    start, end = at("2027-01-23T13:00+00:00"), at("2027-01-23T16:00+00:00")
    to = local_time.moment(at("2027-07-23T14:00"), VIENNA)
    moved = local_time.moved_along(end, was=start, to=to, zone=VIENNA)
    assert local_time.on_clocks(moved, VIENNA) == at("2027-07-23T17:00")


def test_the_end_never_moves_before_the_start():
    # 02:30 twice: from the first to the second is an hour that clocks do not show.
    start, end = at("2027-10-31T00:30+00:00"), at("2027-10-31T01:30+00:00")
    to = at("2027-11-01T01:30+00:00")
    assert local_time.moved_along(end, was=start, to=to, zone=VIENNA) >= to


@given(TIMES, ZONES)
def test_every_time_either_exists_or_names_a_later_one_that_does(local, zone):
    jumped_to = None
    try:
        found = local_time.moment(local, zone)
    except NoSuchTime as refusal:
        jumped_to = refusal.next_local
        found = local_time.moment(jumped_to, zone)
    if jumped_to is None:
        assert local_time.on_clocks(found, zone) == local
    else:
        assert jumped_to > local
        assert local_time.on_clocks(found - timedelta(seconds=1), zone) < local


@given(TIMES, TIMES, ZONES)
def test_moving_there_and_back_keeps_the_order(start, to, zone):
    start, to = (local_time._nearest(t, zone) for t in (start, to))
    end = start + timedelta(hours=3)
    assert local_time.moved_along(end, was=start, to=to, zone=zone) >= to
