"""The second factor: six digits from an app (TOTP, RFC 6238), or one of ten recovery codes on paper.

The secret is encrypted under a key derived from the installation's own; a copy of the database shows no codes.
A code is good once: the step it belongs to is remembered, and nothing up to it is taken again.
"""

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pyotp
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from domain.access import WrongCode
from models import database

STEP = 30  # seconds
DRIFT = 1  # steps that a phone's clock may be off, either way
ISSUER = "Foyer"
RECOVERY_CODES = 10
OFFER_LIVES = timedelta(hours=1)
# As order numbers: nothing that looks like something else on paper.
ALPHABET = "23456789abcdefghjkmnpqrstvwxyz"

_box: MultiFernet | None = None  # for what is stored
_offers: MultiFernet | None = None  # for what travels through a form
_keys: tuple[bytes, ...] = ()


def use_keys(secrets_: tuple[str, ...]) -> None:
    """The first key encrypts, all of them decrypt: keys can be rotated."""
    global _box, _offers, _keys
    _box, _offers = _a_box(secrets_, b"encryption"), _a_box(secrets_, b"offers")
    _keys = tuple(_derive(secret, b"recovery codes") for secret in secrets_)


@dataclass(frozen=True, slots=True)
class Offer:
    """A secret that is not anybody's yet. `sealed` travels through the form; nothing is stored before it is proved."""

    secret: str
    uri: str
    sealed: str


def offer(admin_id: UUID, email: str) -> Offer:
    secret = pyotp.random_base32()
    sealed = _open(_offers).encrypt(json.dumps([str(admin_id), secret]).encode()).decode()
    return Offer(secret, _uri(secret, email), sealed)


def reopen(sealed: str, admin_id: UUID, email: str) -> Offer | None:
    """The offer that this admin was made within the hour; None for anything else."""
    try:
        found = json.loads(_open(_offers).decrypt(sealed.encode(), ttl=int(OFFER_LIVES.total_seconds())))
    except InvalidToken:
        return None
    if not isinstance(found, list) or found[0] != str(admin_id):
        return None
    return Offer(found[1], _uri(found[1], email), sealed)


async def take(admin_id: UUID, offered: Offer, code: str) -> None:
    """Inside the running transaction: the offer becomes the admin's, if the app shows the right digits for it."""
    step = await _matching_step(offered.secret, code, after=0)
    hidden = _open(_box).encrypt(offered.secret.encode()).decode()
    # One that exists is given up first, which asks for the password.
    won = "UPDATE admin SET totp_secret = $2, totp_last_step = $3 WHERE id = $1 AND totp_secret IS NULL RETURNING id"
    if await database.fetchval(won, admin_id, hidden, step) is None:
        raise WrongCode


async def check_code(admin_id: UUID, code: str) -> None:
    """Six digits. Raises WrongCode, also for a code that was used."""
    row = await database.fetchrow("SELECT totp_secret, totp_last_step FROM admin WHERE id = $1", admin_id)
    if row is None or row["totp_secret"] is None:
        raise WrongCode
    secret = _open(_box).decrypt(row["totp_secret"].encode()).decode()
    step = await _matching_step(secret, code, after=row["totp_last_step"])
    won = "UPDATE admin SET totp_last_step = $2 WHERE id = $1 AND totp_last_step < $2 RETURNING id"
    if await database.fetchval(won, admin_id, step) is None:
        raise WrongCode


async def spend_recovery_code(admin_id: UUID, code: str) -> int:
    """Good once. Returns how many are left; raises WrongCode."""
    won = """UPDATE admin_recovery_code SET used_at = clock_timestamp()
             WHERE admin_id = $1 AND id = ANY($2) AND used_at IS NULL RETURNING id"""
    hashes = [_hash(key, admin_id, code) for key in _keys]
    if await database.fetchval(won, admin_id, hashes) is None:
        raise WrongCode
    return await codes_left(admin_id)


async def codes_left(admin_id: UUID) -> int:
    return await database.fetchval(
        "SELECT count(*) FROM admin_recovery_code WHERE admin_id = $1 AND used_at IS NULL", admin_id
    )


async def new_recovery_codes(admin_id: UUID) -> list[str]:
    """Inside the running transaction. The old ones are worth nothing any more; these are shown once."""
    codes = [_new_code() for _ in range(RECOVERY_CODES)]
    await database.execute("DELETE FROM admin_recovery_code WHERE admin_id = $1", admin_id)
    for code in codes:
        await database.execute(
            "INSERT INTO admin_recovery_code (id, admin_id) VALUES ($1, $2)", _hash(_keys[0], admin_id, code), admin_id
        )
    return codes


async def remove(admin_id: UUID) -> bool:
    """Inside the running transaction. False when there was none."""
    await database.execute("DELETE FROM admin_recovery_code WHERE admin_id = $1", admin_id)
    gone = "UPDATE admin SET totp_secret = NULL WHERE id = $1 AND totp_secret IS NOT NULL RETURNING id"
    return await database.fetchval(gone, admin_id) is not None


def is_app_code(typed: str) -> bool:
    """Whether it looks like what an app shows; everything else may be a recovery code."""
    return len(tidy(typed)) == 6 and tidy(typed).isascii() and tidy(typed).isdigit()


def tidy(typed: str) -> str:
    """As typed from a phone or from paper: spaces, dashes and capitals do not matter."""
    return "".join(c for c in typed.casefold() if c.isalnum())


async def _matching_step(secret: str, code: str, *, after: int) -> int:
    now = await database.fetchval("SELECT floor(extract(epoch FROM clock_timestamp()))::bigint")
    totp, typed = pyotp.TOTP(secret), tidy(code)
    # Every step is compared, so that the time taken tells nothing.
    found = [
        step
        for step in range(now // STEP - DRIFT, now // STEP + DRIFT + 1)
        if hmac.compare_digest(totp.at(step * STEP).encode(), typed.encode()) and step > after
    ]
    if not found:
        raise WrongCode
    return found[0]


def _uri(secret: str, email: str) -> str:
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)


def _new_code() -> str:
    letters = "".join(secrets.choice(ALPHABET) for _ in range(12))
    return f"{letters[:4]}-{letters[4:8]}-{letters[8:]}"


def _hash(key: bytes, admin_id: UUID, code: str) -> str:
    return hmac.new(key, f"{admin_id} {tidy(code)}".encode(), hashlib.sha256).hexdigest()


def _derive(secret: str, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=b"foyer second factor: " + purpose).derive(secret.encode())


def _a_box(secrets_: tuple[str, ...], purpose: bytes) -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(_derive(secret, purpose))) for secret in secrets_])


def _open(box: MultiFernet | None) -> MultiFernet:
    assert box is not None, "the composition root plugs in the keys"
    return box
