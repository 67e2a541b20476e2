"""Sessions behind the desk. The cookie holds 256 random bits, the database their SHA-256: a copy of it opens nothing.

An id that we did not give is nobody's; a new one is given whenever somebody gets further in (password, second factor,
a new password), so an id that was slipped to them before is worth nothing after.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.access import IDLE, LONGEST
from models import database

ALIVE = """
    s.ended_at IS NULL AND a.disabled_at IS NULL
    AND s.created_at > clock_timestamp() - $1::interval AND s.last_seen_at > clock_timestamp() - $2::interval
"""
FIND = f"""
    SELECT s.id, s.admin_id, s.second_factor_at IS NOT NULL AS shown, a.email, a.name, a.role,
           a.totp_secret IS NOT NULL AS has_second_factor, a.password_hash IS NOT NULL AS has_password,
           s.last_seen_at < clock_timestamp() - interval '1 minute' AS unseen
    FROM admin_session AS s JOIN admin AS a ON a.id = s.admin_id WHERE {ALIVE} AND s.id = $3
"""
LIST = f"""
    SELECT s.id, s.browser, s.created_at, s.last_seen_at, s.second_factor_at
    FROM admin_session AS s JOIN admin AS a ON a.id = s.admin_id
    WHERE {ALIVE} AND s.admin_id = $3 ORDER BY s.last_seen_at DESC
"""
SEEN = "UPDATE admin_session SET last_seen_at = clock_timestamp() WHERE id = $1 AND ended_at IS NULL"
BEGIN = "INSERT INTO admin_session (id, admin_id, browser) VALUES ($1, $2, $3)"
ROTATE = """
    UPDATE admin_session SET id = $2, last_seen_at = clock_timestamp(),
        second_factor_at = CASE WHEN $3 THEN clock_timestamp() ELSE second_factor_at END
    WHERE id = $1 AND ended_at IS NULL RETURNING id
"""
END = "UPDATE admin_session SET ended_at = clock_timestamp() WHERE id = $1 AND ended_at IS NULL"
END_ALL = """
    UPDATE admin_session SET ended_at = clock_timestamp()
    WHERE admin_id = $1 AND ended_at IS NULL AND id IS DISTINCT FROM $2
"""


@dataclass(frozen=True, slots=True)
class Session:
    """An open session and whose it is. `id` is the stored hash."""

    id: str
    admin_id: UUID
    email: str
    name: str
    role: str
    shown: bool
    has_second_factor: bool
    has_password: bool


async def begin(admin_id: UUID, *, browser: str, instead_of: str | None) -> str:
    """Returns what the cookie will say. The session that the browser came with, if any, ends."""
    token = secrets.token_urlsafe(32)
    if instead_of:
        await end(hashed(instead_of))
    await database.execute(BEGIN, hashed(token), admin_id, browser)
    return token


async def find(token: str, *, seen: bool = True) -> Session | None:
    """The session behind a cookie, if it is open. `seen`: somebody is at work, rather than a page asking by itself."""
    row = await database.fetchrow(FIND, LONGEST, IDLE, hashed(token))
    if row is None:
        return None
    values = dict(row)
    if values.pop("unseen") and seen:
        await database.execute(SEEN, row["id"])
    return Session(**values)


async def rotate(session_id: str, *, shown: bool = False) -> str | None:
    """The same session under a new id; its hours go on. None when it has just ended."""
    token = secrets.token_urlsafe(32)
    return token if await database.fetchval(ROTATE, session_id, hashed(token), shown) else None


async def end(session_id: str) -> None:
    await database.execute(END, session_id)


async def end_all(admin_id: UUID, *, but: str | None = None) -> None:
    await database.execute(END_ALL, admin_id, but)


async def open_ones(admin_id: UUID) -> list[Any]:
    return list(await database.fetch(LIST, LONGEST, IDLE, admin_id))


def hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def form_token(token: str) -> str:
    """What the forms of this session carry. Bound to it: made from the id that only its own browser has."""
    return hmac.new(token.encode(), b"form", hashlib.sha256).hexdigest()
