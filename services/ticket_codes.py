"""Ticket codes: what the QR code on a ticket says. Signed, so a door can check one without asking anybody.

    FY1. base32( key id, 4 bytes | ticket id, 16 bytes | Ed25519 signature of both, 64 bytes )

Capitals and digits only, without padding: 139 characters, which a QR code packs into 41 × 41 modules at level M.
A door needs `public_keys()` and nothing else; it learns the ticket's id, and no name or address. The signing key is
derived from the installation's secret (HKDF), so a ticket's code is the same whenever it is drawn. The first secret
signs, all of them verify: secrets can be rotated, and tickets printed before stay good while the old one is kept.
"""

import base64
import binascii
import hashlib
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PREFIX = "FY1."
PURPOSE = b"foyer ticket code 1"
KEY_ID, TICKET_ID, SIGNATURE = 4, 16, 64
LENGTH = len(PREFIX) + 135  # what base32 makes of 84 bytes

_signing: tuple[bytes, Ed25519PrivateKey] | None = None
_verifying: dict[bytes, Ed25519PublicKey] = {}


def use_keys(secrets: tuple[str, ...]) -> None:
    global _signing, _verifying
    keys = [_derive(secret) for secret in secrets]
    _signing = (_key_id(keys[0].public_key()), keys[0])
    _verifying = {_key_id(key.public_key()): key.public_key() for key in keys}


def sign(ticket_id: UUID) -> str:
    assert _signing is not None, "the composition root plugs in the keys"
    key_id, key = _signing
    body = key_id + ticket_id.bytes
    return PREFIX + base64.b32encode(body + key.sign(PURPOSE + body)).decode().rstrip("=")


def verify(code: str) -> UUID | None:
    """The ticket that a code of ours belongs to; None for anything else. Scanners may add space or lose capitals."""
    raw = _decode(code.strip().upper())
    if raw is None:
        return None
    body, signature = raw[: KEY_ID + TICKET_ID], raw[KEY_ID + TICKET_ID :]
    key = _verifying.get(body[:KEY_ID])
    if key is None:
        return None
    try:
        key.verify(signature, PURPOSE + body)
    except InvalidSignature:
        return None
    return UUID(bytes=body[KEY_ID:])


def public_keys() -> dict[str, str]:
    """Key id → public key, both in hexadecimal: all that a door needs to know."""
    return {key_id.hex(): key.public_bytes_raw().hex() for key_id, key in _verifying.items()}


def _decode(code: str) -> bytes | None:
    if len(code) != LENGTH or not code.startswith(PREFIX):
        return None
    try:
        return base64.b32decode(code.removeprefix(PREFIX) + "=")
    except (binascii.Error, ValueError):
        return None


def _derive(secret: str) -> Ed25519PrivateKey:
    seed = HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(secret.encode())
    return Ed25519PrivateKey.from_private_bytes(seed)


def _key_id(key: Ed25519PublicKey) -> bytes:
    return hashlib.sha256(key.public_bytes_raw()).digest()[:KEY_ID]
