"""Secret links. Whoever has the link may see the checkout or order behind it; nobody can guess one.

A token is the row's id with a keyed 256-bit seal, so it can be made again for a mail or a retried request and
nothing in the database is worth stealing. The first key signs, all of them verify: keys can be rotated.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

from domain.errors import CheckoutNotFound, OrderNotFound

_keys: tuple[bytes, ...] = ()


def use_keys(keys: tuple[str, ...]) -> None:
    global _keys
    _keys = tuple(key.encode() for key in keys)


def checkout_token(checkout_id: UUID) -> str:
    return _token("checkout", checkout_id)


def order_token(order_id: UUID) -> str:
    return _token("order", order_id)


def checkout_behind(token: str) -> UUID:
    """Raises CheckoutNotFound."""
    found = _read("checkout", token)
    if found is None:
        raise CheckoutNotFound
    return found


def order_behind(token: str) -> UUID:
    """Raises OrderNotFound."""
    found = _read("order", token)
    if found is None:
        raise OrderNotFound
    return found


def _token(kind: str, row_id: UUID) -> str:
    return urlsafe_b64encode(row_id.bytes + _seal(_keys[0], kind, row_id)).decode()


def _read(kind: str, token: str) -> UUID | None:
    try:
        raw = urlsafe_b64decode(token)
        row_id = UUID(bytes=raw[:16])
    except ValueError:
        return None
    if urlsafe_b64encode(raw).decode() != token:  # the decoder forgives what we never wrote
        return None
    seals = (_seal(key, kind, row_id) for key in _keys)
    return row_id if any(hmac.compare_digest(raw[16:], seal) for seal in seals) else None


def _seal(key: bytes, kind: str, row_id: UUID) -> bytes:
    return hmac.digest(key, kind.encode() + row_id.bytes, hashlib.sha256)
