"""Coming in and going out: password, second factor, one-time links.

Whoever has no account, a wrong password, or a disabled one hears the same words after the same time.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from domain.access import LinkSpent, WrongCode, WrongSignIn
from models import database
from services import admin_sessions, audit, passwords, second_factor, throttle
from services.admin_sessions import Session
from services.audit import Actor
from services.transaction import transaction

BY_EMAIL = "SELECT id, email, name, password_hash FROM admin WHERE lower(email) = lower($1) AND disabled_at IS NULL"
LINK = """
    SELECT l.purpose, a.id AS admin_id, a.email, a.name, a.role
    FROM admin_link AS l JOIN admin AS a ON a.id = l.admin_id
    WHERE l.id = $1 AND l.used_at IS NULL AND l.expires_at > clock_timestamp() AND a.disabled_at IS NULL
"""
USE_LINK = """
    UPDATE admin_link SET used_at = clock_timestamp()
    WHERE id = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > clock_timestamp() RETURNING admin_id
"""


@dataclass(frozen=True, slots=True)
class Visitor:
    """What is known of a browser at the door."""

    address: str
    browser: str = ""
    mark: str | None = None  # that somebody signed in with it before
    session: str | None = None  # what its cookie says, whether it is worth anything or not


@dataclass(frozen=True, slots=True)
class Admitted:
    """What the browser is given to keep."""

    session: str
    mark: str


@dataclass(frozen=True, slots=True)
class Proof:
    """The password, typed once more by whoever is at the screen."""

    session: Session
    password: str
    visitor: Visitor


async def with_password(*, email: str, password: str, visitor: Visitor) -> Admitted:
    """Raises WrongSignIn or TooManyTries."""
    admin = await database.fetchrow(BY_EMAIL, email.strip())
    subject = _subject(f"email {email.strip().casefold()}", admin, visitor)
    tries = await throttle.count(
        {subject: throttle.PER_EMAIL, throttle.of_address(visitor.address): throttle.PER_ADDRESS}
    )
    stored = admin["password_hash"] if admin else None
    if not await passwords.matches(password, stored):
        if tries.left == 0:
            await _note_failure(admin, visitor)
        raise WrongSignIn
    assert admin is not None
    assert stored is not None
    if passwords.is_outdated(stored):
        await _renew_hash(admin["id"], password)
    await throttle.forgive(tries, subject)
    return await _admit(admin, visitor, "signed in")


async def with_code(session: Session, code: str, visitor: Visitor) -> Admitted:
    """The second factor, from the app or from paper. Raises WrongCode or TooManyTries."""
    admin = {"id": session.admin_id}
    subject = _subject(f"code {session.admin_id}", admin, visitor, kind="code")
    tries = await throttle.count({subject: throttle.PER_CODE})
    try:
        token = await _show_second_factor(session, code, visitor)
    except WrongCode:
        # Their password was right: this is news, and the throttle keeps it short.
        async with transaction():
            await _write(session, "mistyped the second factor", {"browser": visitor.browser})
        raise
    await throttle.forgive(tries, subject)
    return Admitted(token, throttle.new_mark(session.admin_id))


async def _show_second_factor(session: Session, code: str, visitor: Visitor) -> str:
    async with transaction():
        if second_factor.is_app_code(code):
            await second_factor.check_code(session.admin_id, code)
            await _write(session, "showed the second factor", {"browser": visitor.browser})
        else:
            left = await second_factor.spend_recovery_code(session.admin_id, code)
            await _write(session, "used a recovery code", {"left": left})
        token = await admin_sessions.rotate(session.id, shown=True)
        if token is None:
            raise WrongCode
        return token


async def link_behind(token: str) -> Any:
    """What a one-time link would do, and for whom. Looking does not use it. Raises LinkSpent."""
    link = await database.fetchrow(LINK, admin_sessions.hashed(token))
    if link is None:
        raise LinkSpent
    return link


async def with_entrance(token: str, visitor: Visitor) -> Admitted:
    """A link that stands for the password, once. A second factor is asked for all the same. Raises LinkSpent."""
    link = await link_behind(token)
    async with transaction():
        await use_link(token, "entrance")
        return await _begin(link["admin_id"], link["name"] or link["email"], visitor, "signed in with a link")


async def use_link(token: str, purpose: str) -> UUID:
    """Inside the running transaction. Of two who use it at once, one is first. Raises LinkSpent."""
    admin_id = await database.fetchval(USE_LINK, admin_sessions.hashed(token), purpose)
    if admin_id is None:
        raise LinkSpent
    return admin_id


async def admit_new(admin_id: UUID, name: str, visitor: Visitor) -> Admitted:
    """Inside the running transaction: whoever has just accepted an invitation is in."""
    return await _begin(admin_id, name, visitor, "signed in with an invitation")


async def check_password(session: Session, password: str, visitor: Visitor) -> None:
    """Asked again before something that a stranger at an open screen must not do. Raises WrongSignIn, TooManyTries."""
    stored = await database.fetchval("SELECT password_hash FROM admin WHERE id = $1", session.admin_id)
    if stored is None:
        return
    subject = _subject(f"confirm {session.admin_id}", {"id": session.admin_id}, visitor, kind="confirm")
    tries = await throttle.count({subject: throttle.PER_EMAIL})
    if not await passwords.matches(password, stored):
        if tries.left == 0:
            await _note_failure({"id": session.admin_id}, visitor)
        raise WrongSignIn
    await throttle.forgive(tries, subject)


async def out(session: Session) -> None:
    async with transaction():
        await admin_sessions.end(session.id)
        await _write(session, "signed out", {})


async def _note_failure(admin: Any, visitor: Visitor) -> None:
    """The last try before a pause. Known or not, it is written down, so that the time it takes tells nobody which;
    what was typed is not: people mistype their password into the wrong field."""
    async with transaction():
        kind, subject = ("admin", admin["id"]) if admin else ("sign_in", "unknown")
        await audit.write(audit.SOMEBODY, "failed to sign in", kind, subject, after={"browser": visitor.browser})


async def _admit(admin: Any, visitor: Visitor, action: str) -> Admitted:
    async with transaction():
        return await _begin(admin["id"], admin["name"] or admin["email"], visitor, action)


async def _begin(admin_id: UUID, name: str, visitor: Visitor, action: str) -> Admitted:
    token = await admin_sessions.begin(admin_id, browser=visitor.browser, instead_of=visitor.session)
    await audit.write(Actor(admin_id, name), action, "admin", admin_id, after={"browser": visitor.browser})
    return Admitted(token, throttle.new_mark(admin_id))


async def _write(session: Session, action: str, after: dict[str, Any]) -> None:
    await audit.write(
        Actor(session.admin_id, session.name or session.email), action, "admin", session.admin_id, after=after
    )


def _subject(otherwise: str, admin: Any, visitor: Visitor, kind: str = "password") -> str:
    """A browser that this admin uses is counted by itself, everybody else together."""
    if admin is not None and throttle.is_marked(visitor.mark, admin["id"]):
        return f"{kind} from {visitor.mark}"
    return otherwise


async def _renew_hash(admin_id: UUID, password: str) -> None:
    fresh = await passwords.hash_password(password)
    await database.execute("UPDATE admin SET password_hash = $2 WHERE id = $1", admin_id, fresh)
