"""What the QR code on a ticket says, and who may believe it."""

import base64
import uuid
from collections.abc import Iterator

import pytest

from services import ticket_codes
from tests.conftest import SECRET_KEY

OLD, NEW = "an-old-secret-key-that-was-rotated-out", "a-new-secret-key-that-signs-from-now-on"


@pytest.fixture(autouse=True)
def keys() -> Iterator[None]:
    ticket_codes.use_keys((NEW,))
    yield
    ticket_codes.use_keys((SECRET_KEY,))


def test_a_code_names_its_ticket_and_nobody_else_can_make_one():
    ticket = uuid.uuid4()
    code = ticket_codes.sign(ticket)
    assert ticket_codes.verify(code) == ticket
    assert ticket_codes.sign(ticket) == code, "drawn again it is the same"
    ticket_codes.use_keys((OLD,))
    assert ticket_codes.verify(code) is None


def test_every_changed_character_is_noticed():
    code = ticket_codes.sign(uuid.uuid4())
    for place in range(len(code) - 1):  # the last character has bits to spare
        changed = code[:place] + ("A" if code[place] != "A" else "B") + code[place + 1 :]
        assert ticket_codes.verify(changed) is None, place


def test_a_signature_does_not_fit_another_ticket():
    raw = base64.b32decode(ticket_codes.sign(uuid.uuid4()).removeprefix("FY1.") + "=")
    other = raw[:4] + uuid.uuid4().bytes + raw[20:]
    assert ticket_codes.verify("FY1." + base64.b32encode(other).decode().rstrip("=")) is None


@pytest.mark.parametrize("junk", ["", "FY1.", "FY1." + "=" * 135, "FY1." + "1" * 135, "FY1." + "é" * 135, "x" * 10_000])
def test_junk_is_no_ticket(junk: str):
    assert ticket_codes.verify(junk) is None


def test_a_scanner_may_add_space_and_lose_capitals():
    ticket = uuid.uuid4()
    assert ticket_codes.verify(f" {ticket_codes.sign(ticket).lower()}\r\n") == ticket


def test_tickets_from_before_a_rotation_stay_good_and_their_key_is_named():
    ticket_codes.use_keys((OLD,))
    ticket = uuid.uuid4()
    code = ticket_codes.sign(ticket)
    ticket_codes.use_keys((NEW, OLD))
    assert ticket_codes.verify(code) == ticket
    assert ticket_codes.sign(ticket) != code
    assert len(ticket_codes.public_keys()) == 2
