"""The code of a ticket: there while it admits somebody, and nowhere afterwards."""

import uuid

import pytest

from services import ticket_codes
from tests.conftest import SECRET_KEY
from web.tickets import code_of, qr


@pytest.fixture(autouse=True)
def keys():
    ticket_codes.use_keys((SECRET_KEY,))


def ticket(**values):
    return {"id": uuid.uuid4(), "number": "FY-1234-5678-1", "refund_id": None, **values}


def test_a_ticket_that_admits_somebody_has_its_own_code():
    one, other = ticket(), ticket()
    assert code_of(one) == qr(one["id"], one["number"])
    assert code_of(one) != code_of(other)


def test_a_ticket_whose_money_went_back_has_none():
    assert code_of(ticket(refund_id=uuid.uuid4())) is None


def test_the_code_says_which_ticket_it_belongs_to_and_needs_no_style():
    drawing = code_of(ticket())
    assert drawing.startswith('<svg role="img" aria-label="QR code of ticket FY-1234-5678-1"')
    assert "style=" not in drawing
    assert "<script" not in drawing


def test_a_number_is_text_never_markup():
    assert "<b>" not in code_of(ticket(number='"><b>'))
