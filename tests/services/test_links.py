"""Secret links: made again at will, guessed by nobody."""

import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest

from domain.errors import CheckoutNotFound, OrderNotFound
from services import links

OLD, NEW = "old-key-" + "x" * 32, "new-key-" + "y" * 32


@pytest.fixture(autouse=True)
def keys():
    before = links._keys
    links.use_keys((OLD,))
    yield
    links._keys = before


def test_a_link_leads_to_its_row_and_is_the_same_each_time():
    row = uuid.uuid4()
    assert links.checkout_behind(links.checkout_token(row)) == row
    assert links.order_behind(links.order_token(row)) == row
    assert links.checkout_token(row) == links.checkout_token(row)


def test_a_link_fits_into_an_address_and_is_not_short():
    token = links.order_token(uuid.uuid4())
    assert token.replace("-", "").replace("_", "").isalnum()
    assert len(urlsafe_b64decode(token)) == 16 + 32


def test_the_link_of_a_checkout_opens_no_order():
    row = uuid.uuid4()
    with pytest.raises(OrderNotFound):
        links.order_behind(links.checkout_token(row))
    with pytest.raises(CheckoutNotFound):
        links.checkout_behind(links.order_token(row))


def test_no_part_of_a_link_can_be_changed():
    raw = urlsafe_b64decode(links.checkout_token(uuid.uuid4()))
    for position in range(len(raw)):
        changed = bytes(b ^ (i == position) for i, b in enumerate(raw))
        with pytest.raises(CheckoutNotFound):
            links.checkout_behind(urlsafe_b64encode(changed).decode())


@pytest.mark.parametrize("token", ["", "x", "a" * 63, "ä" * 64, "=" * 64, "../../etc/passwd", "\0" * 64, "a" * 10_000])
def test_what_is_no_link_leads_nowhere(token):
    with pytest.raises(CheckoutNotFound):
        links.checkout_behind(token)


def test_an_id_is_no_link():
    row = uuid.uuid4()
    with pytest.raises(CheckoutNotFound):
        links.checkout_behind(str(row))
    with pytest.raises(CheckoutNotFound):
        links.checkout_behind(urlsafe_b64encode(row.bytes).decode())


def test_old_links_work_while_keys_are_changed_and_not_after():
    row = uuid.uuid4()
    old = links.checkout_token(row)
    links.use_keys((NEW, OLD))
    assert links.checkout_behind(old) == row
    assert links.checkout_token(row) != old
    links.use_keys((NEW,))
    with pytest.raises(CheckoutNotFound):
        links.checkout_behind(old)
