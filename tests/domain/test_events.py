"""Publication, sales windows and addresses."""

import re
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.events import LONGEST_TITLE, Sale, copy_title, is_over, reasons_against_publishing, sale_of, slug
from tests.makers import NOW

A_SECOND = timedelta(seconds=1)


def test_1_4_an_event_with_a_capacity_and_an_enabled_type_may_be_published():
    assert reasons_against_publishing(total_capacity=30, enabled_types=1) == ()


def test_1_4_a_capacity_of_nought_is_non_negative_and_will_do():
    assert reasons_against_publishing(total_capacity=0, enabled_types=1) == ()


@pytest.mark.parametrize("capacity", [None, -1])
def test_1_4_an_event_without_a_capacity_may_not_be_published(capacity):
    assert reasons_against_publishing(total_capacity=capacity, enabled_types=1) == ("Set the total capacity.",)


def test_1_4_an_event_without_an_enabled_type_may_not_be_published():
    (reason,) = reasons_against_publishing(total_capacity=30, enabled_types=0)
    assert "ticket type" in reason


def test_1_4_every_reason_is_named_at_once():
    assert len(reasons_against_publishing(total_capacity=None, enabled_types=0)) == 2


def test_an_event_is_over_at_its_end_and_without_one_at_its_start():
    assert not is_over(start_date=NOW - A_SECOND, end_date=NOW + A_SECOND, now=NOW)
    assert is_over(start_date=NOW - A_SECOND, end_date=NOW, now=NOW)
    assert not is_over(start_date=NOW + A_SECOND, end_date=None, now=NOW)
    assert is_over(start_date=NOW, end_date=None, now=NOW)


@pytest.mark.parametrize(
    ("window", "said"),
    [
        ({}, Sale.OPEN),
        ({"sales_start": NOW}, Sale.OPEN),
        ({"sales_start": NOW + A_SECOND}, Sale.NOT_YET),
        ({"sales_end": NOW + A_SECOND}, Sale.OPEN),
        ({"sales_end": NOW}, Sale.ENDED),
        ({"over": True}, Sale.ENDED),
        ({"over": True, "sales_start": NOW + A_SECOND}, Sale.ENDED),
        ({"is_enabled": False}, Sale.OFF),
        ({"is_enabled": False, "over": True}, Sale.OFF),
    ],
)
def test_a_sales_window_includes_its_start_and_excludes_its_end(window, said):
    settings = {"is_enabled": True, "sales_start": None, "sales_end": None, "over": False}
    assert sale_of(**(settings | window), now=NOW) == said


@pytest.mark.parametrize(
    ("title", "address"),
    [
        ("Winter Light", "winter-light"),
        ("Kino Šiška, 5 €", "kino-siska-5"),
        ("  Café — olé!  ", "cafe-ole"),
        ("北京", "event"),
        ("", "event"),
        ("x" * 200, "x" * 80),
    ],
)
def test_a_title_becomes_an_address(title, address):
    assert slug(title) == address


@given(st.text(st.sampled_from("aZ9 -_—'/.€ßŽéⅧ京\n\0"), max_size=120))
def test_every_address_is_one_that_the_database_accepts(title):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug(title))
    assert len(slug(title)) <= 80


def test_a_copy_says_so_once_and_fits():
    assert copy_title("Winter Light") == "Copy of Winter Light"
    assert copy_title("Copy of Winter Light") == "Copy of Winter Light"
    assert len(copy_title("x" * LONGEST_TITLE)) == LONGEST_TITLE
