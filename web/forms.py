"""Forms as typed wishes. A browser's form arrives well; whatever else arrives gets kind words, and is kept as typed."""

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from uuid import UUID

from litestar.datastructures import FormMultiDict

QUANTITY_FIELD = "qty-"
REQUEST_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")
# ASCII digits only, and no more of them than anybody could mean.
QUANTITY = re.compile(r"[0-9]{1,12}")
# What is echoed of something that is not a number.
ECHO = 12


@dataclass(slots=True)
class WishForm:
    """What a buyer asks for. `problems`: ticket type → what is wrong with its number."""

    request_key: str
    wish: dict[UUID, int] = field(default_factory=dict)
    typed: dict[UUID, str] = field(default_factory=dict)
    problems: dict[UUID, str] = field(default_factory=dict)

    def spare_key(self) -> str:
        """For when the page's key already stands for another wish: the same form always gets the same spare."""
        wish = ",".join(f"{t}:{n}" for t, n in sorted(self.wish.items()))
        return hashlib.blake2s(f"{self.request_key} {wish}".encode(), digest_size=16).hexdigest()


def new_request_key() -> str:
    return secrets.token_urlsafe(18)


def read_wish(form: FormMultiDict) -> WishForm:
    """Fields `qty-<ticket type>`, `request_key`, and `take`: a suggestion that overrules the quantities."""
    key = form.get("request_key")
    read = WishForm(key if isinstance(key, str) and REQUEST_KEY.fullmatch(key) else new_request_key())
    taken = read_take(form.get("take"))
    if taken is not None:
        read.wish = taken
        read.typed = {type_id: str(quantity) for type_id, quantity in taken.items()}
        return read
    for name, value in form.multi_items():
        type_id = _type_id(name)
        if type_id is not None:
            _read_quantity(read, type_id, value)
    return read


def write_take(wish: dict[UUID, int]) -> str:
    return ",".join(f"{type_id}:{quantity}" for type_id, quantity in wish.items())


def read_take(value: object) -> dict[UUID, int] | None:
    """None when it is not one of ours: then the quantities count."""
    if not isinstance(value, str) or not value:
        return None
    wish: dict[UUID, int] = {}
    for part in value.split(",")[:20]:
        type_id, colon, quantity = part.partition(":")
        known = _uuid(type_id)
        if known is None or not colon or not QUANTITY.fullmatch(quantity) or not int(quantity):
            return None
        wish[known] = int(quantity)
    return wish


def _read_quantity(read: WishForm, type_id: UUID, value: object) -> None:
    text = value.strip() if isinstance(value, str) else "?"
    if type_id in read.typed:
        read.problems[type_id] = "We got two numbers for this ticket. Choose one and try again."
        return
    if text and not QUANTITY.fullmatch(text):
        read.problems[type_id] = "Use a whole number, such as 2."
        read.typed[type_id] = text[:ECHO]
        return
    quantity = int(text or 0)
    read.typed[type_id] = str(quantity)
    if quantity:
        read.wish[type_id] = quantity


def _type_id(name: str) -> UUID | None:
    return _uuid(name.removeprefix(QUANTITY_FIELD)) if name.startswith(QUANTITY_FIELD) else None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
