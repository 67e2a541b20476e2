"""Slows down whoever guesses. Tries are counted in the database, so all processes count together.

A try is written down before anything is looked at, so guesses made at the same moment cannot slip past each other; a
success takes its tries back. A refused try is not counted: whoever waits gets in, however long somebody else went on.

A browser that signed in before carries a mark and is counted by it alone. So a stranger who keeps failing with the
owner's address locks out strangers, and not the owner.
"""

import hashlib
import hmac
import ipaddress
import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from domain.access import TooManyTries
from models import database
from services.transaction import transaction

WINDOW = timedelta(minutes=15)
PER_EMAIL, PER_ADDRESS, PER_CODE = 10, 40, 5
KEPT = timedelta(days=1)

# Oldest first: when the one that made it too many leaves the window, the next try is looked at.
RECENT = """
    SELECT created_at + $2::interval - clock_timestamp() AS wait FROM sign_in_attempt
    WHERE subject = $1 AND created_at > clock_timestamp() - $2::interval ORDER BY created_at
"""

_keys: tuple[bytes, ...] = ()


def use_keys(keys: tuple[str, ...]) -> None:
    global _keys
    _keys = tuple(key.encode() for key in keys)


@dataclass(frozen=True, slots=True)
class Tries:
    """Written down; `left` more are looked at before a pause."""

    ids: tuple[int, ...]
    left: int


async def count(limits: dict[str, int]) -> Tries:
    """One try against each subject, all or none. Raises TooManyTries."""
    subjects = {_hidden(subject): limit for subject, limit in limits.items()}
    async with transaction():
        ids, left = [], min(limits.values())
        # In one order, or two tries could wait for each other.
        for subject, limit in sorted(subjects.items()):
            await database.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", subject)
            recent = await database.fetch(RECENT, subject, WINDOW)
            if len(recent) >= limit:
                raise TooManyTries(wait=recent[len(recent) - limit]["wait"])
            left = min(left, limit - len(recent) - 1)
        for subject in subjects:
            ids.append(await database.fetchval(WRITE, subject))
        await database.execute("DELETE FROM sign_in_attempt WHERE created_at < clock_timestamp() - $1::interval", KEPT)
    return Tries(tuple(ids), left)


WRITE = "INSERT INTO sign_in_attempt (subject) VALUES ($1) RETURNING id"


async def forgive(tries: Tries, *subjects: str) -> None:
    """It was the right person: this try counts for nothing, and these subjects start afresh."""
    await database.execute(
        "DELETE FROM sign_in_attempt WHERE id = ANY($1) OR subject = ANY($2)",
        list(tries.ids),
        [_hidden(subject) for subject in subjects],
    )


def of_address(address: str) -> str:
    """A household has one IPv4 address and a whole /64 of IPv6."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return f"address {address}"
    return f"address {ipaddress.ip_network((ip, 64), strict=False)}" if ip.version == 6 else f"address {ip}"


def new_mark(admin_id: UUID) -> str:
    """What a browser keeps after this admin signed in with it."""
    nonce = secrets.token_hex(16)
    return f"{nonce}.{_seal(_keys[0], admin_id, nonce)}"


def is_marked(mark: str | None, admin_id: UUID) -> bool:
    nonce, _, seal = (mark or "").partition(".")
    return any(hmac.compare_digest(seal.encode(), _seal(key, admin_id, nonce).encode()) for key in _keys)


def _seal(key: bytes, admin_id: UUID, nonce: str) -> str:
    return hmac.new(key, f"known browser {admin_id} {nonce}".encode(), hashlib.sha256).hexdigest()


def _hidden(subject: str) -> str:
    return hmac.new(_keys[0], f"sign-in {subject}".encode(), hashlib.sha256).hexdigest()
