"""Makers of people behind the desk, and what they do at the door."""

from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import httpx
import pyotp
from argon2 import PasswordHasher
from litestar import Litestar

from models import database
from models.admin import Admin
from services import admin_sessions, second_factor
from services.transaction import transaction

PASSWORD = "seven lamps under a stair"


@dataclass
class MadeAdmin:
    id: UUID
    email: str
    role: str
    secret: str | None = None
    recovery_codes: tuple[str, ...] = ()

    async def code(self, *, steps: int = 0) -> str:
        """What their app shows now, or that many steps of 30 seconds later."""
        assert self.secret
        now = await database.fetchval("SELECT floor(extract(epoch FROM clock_timestamp()))::bigint")
        return pyotp.TOTP(self.secret).at(int(now) + steps * second_factor.STEP)


async def make_admin(
    role: str = "owner", *, email: str | None = None, protected: bool = False, **values: Any
) -> MadeAdmin:
    """Somebody who has accepted their invitation and chosen PASSWORD."""
    row = Admin(email=email or f"{role}-{uuid4().hex[:8]}@example.org", name="Mira Novak", role=role)
    row.password_hash = _hash_of(PASSWORD)
    for name, value in values.items():
        setattr(row, name, value)
    await row.save()
    made = MadeAdmin(row.id, row.email, role)
    if protected:
        await protect(made)
    return made


async def protect(admin: MadeAdmin) -> None:
    """They scan the QR code and type what the app shows."""
    offered = second_factor.offer(admin.id, admin.email)
    admin.secret = offered.secret
    async with transaction():
        await second_factor.take(admin.id, offered, await admin.code(steps=-1))
        admin.recovery_codes = tuple(await second_factor.new_recovery_codes(admin.id))


async def open_session(admin: MadeAdmin, *, halfway: bool = False) -> str:
    """What the cookie says. `halfway`: the second factor was not shown yet."""
    token = await admin_sessions.begin(admin.id, browser="Firefox on Linux", instead_of=None)
    if admin.secret and not halfway:
        token = await admin_sessions.rotate(admin_sessions.hashed(token), shown=True) or ""
    return token


@cache
def _hash_of(password: str) -> str:
    """As strong as the real ones, but once for all tests."""
    return PasswordHasher().hash(password)


class Desk(httpx.AsyncClient):
    """A browser with an open session. It sends the form token of that session by itself, as the desk's pages do."""

    def __init__(self, app: Litestar, url: str, admin: MadeAdmin, session: str) -> None:
        super().__init__(transport=httpx.ASGITransport(app=app), base_url=url)
        self.admin = admin
        self.headers["Sec-Fetch-Site"] = "same-origin"
        self.take_session(session)

    def take_session(self, session: str) -> None:
        self.cookies.set("desk", session, domain=self.base_url.host)
        self.headers["X-CSRF-Token"] = admin_sessions.form_token(session)
