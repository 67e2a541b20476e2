"""The people behind the desk: invited by a one-time link, given a role, disabled, never deleted.

Whatever changes what somebody may do ends their sessions: the next request is made with the new rights or not at all.
Whoever makes an owner, or opens the way to an owner's account, shows their own password again: otherwise an open screen
would be enough to take the house over.
"""

import secrets
from datetime import timedelta
from typing import Any
from uuid import UUID

from domain.access import (
    ENTRANCE_LIVES,
    INVITATION_LIVES,
    AdminNotFound,
    AlreadyAdmin,
    LastOwner,
    OwnAccount,
    PasswordNeeded,
    Role,
    WrongCode,
)
from domain.errors import Overtaken
from models import database
from models.ids import new_id
from services import admin_sessions, audit, passwords, second_factor, sign_in, throttle
from services.admin_sessions import Session
from services.audit import Actor
from services.second_factor import Offer
from services.sign_in import Admitted, Proof, Visitor
from services.transaction import transaction

EVERYBODY = """
    SELECT a.id, a.email, a.name, a.role, a.disabled_at, a.created_at, a.password_hash IS NOT NULL AS has_password,
           a.totp_secret IS NOT NULL AS has_second_factor,
           (SELECT max(s.last_seen_at) FROM admin_session AS s WHERE s.admin_id = a.id) AS last_seen_at
    FROM admin AS a ORDER BY a.disabled_at IS NOT NULL, lower(a.name), lower(a.email)
"""
# Two who invite the same person at once: one is first.
NEW = """
    INSERT INTO admin (id, email, name, role) VALUES ($1, $2, $3, $4)
    ON CONFLICT (lower(email)) DO NOTHING RETURNING id
"""
LOCK = "SELECT id, email, name, role, disabled_at, password_hash FROM admin WHERE id = $1 FOR NO KEY UPDATE"
# All of them, in one order: two owners who demote each other at once do not leave the house without one.
LOCK_OWNERS = "SELECT id FROM admin WHERE role = 'owner' AND disabled_at IS NULL ORDER BY id FOR NO KEY UPDATE"
NEW_LINK = """
    INSERT INTO admin_link (id, admin_id, purpose, expires_at)
    VALUES ($1, $2, $3, clock_timestamp() + $4::interval)
"""
# A fresh link replaces the ones before it.
SPEND_LINKS = "UPDATE admin_link SET used_at = clock_timestamp() WHERE admin_id = $1 AND used_at IS NULL"


async def invite(actor: Actor, *, email: str, role: Role, proof: Proof | None = None) -> str:
    """A new admin; returns the token of a one-time link with which they choose name and password. Raises AlreadyAdmin;
    for an owner PasswordNeeded, WrongSignIn, TooManyTries."""
    proven = await _is_proven(actor, proof)
    async with transaction():
        admin_id = await _new(actor, email=email, name="", role=role)
        if admin_id is None:
            raise AlreadyAdmin
        _insist(proven, role)
        return await _new_link(admin_id, "invitation", INVITATION_LIVES)


async def invite_again(actor: Actor, admin_id: UUID, *, proof: Proof | None = None) -> str:
    """A fresh link, for a lost one or a forgotten password. The second factor stays as it is. Raises AdminNotFound,
    OwnAccount; for an owner PasswordNeeded, WrongSignIn, TooManyTries."""
    _refuse_own(actor, admin_id)
    proven = await _is_proven(actor, proof)
    async with transaction():
        _insist(proven, (await _lock(admin_id))["role"])
        await audit.write(actor, "sent a new link", "admin", admin_id)
        return await _new_link(admin_id, "invitation", INVITATION_LIVES)


async def by_hand(*, email: str, role: Role) -> str:
    """From the command line: a link for this address, whether it is known or new. The way back in for a locked-out
    owner, so it also lets a disabled one in again."""
    known = await _by_email(email)
    if known is None:
        return await invite(audit.SYSTEM, email=email, role=role)
    await enable(audit.SYSTEM, known)
    return await invite_again(audit.SYSTEM, known)


async def entrance(*, email: str, name: str, role: Role) -> str:
    """A link that signs in with one click, for the demo on a developer's machine."""
    async with transaction():
        admin_id = await _new(audit.SYSTEM, email=email, name=name, role=role) or await find_by_email(email)
        return await _new_link(admin_id, "entrance", ENTRANCE_LIVES)


async def accept(token: str, *, name: str, password: str, host: str, visitor: Visitor) -> Admitted:
    """The invited person chooses name and password, and is in. Raises LinkSpent or PasswordUnfit."""
    link = await sign_in.link_behind(token)
    hashed = await passwords.hash_chosen(password, about=[name, link["email"], host])
    async with transaction():
        admin_id = await sign_in.use_link(token, "invitation")
        before = await _lock(admin_id)
        await database.execute("UPDATE admin SET name = $2, password_hash = $3 WHERE id = $1", admin_id, name, hashed)
        await admin_sessions.end_all(admin_id)
        await audit.write(
            Actor(admin_id, name),
            "accepted the invitation",
            "admin",
            admin_id,
            {"name": before["name"]},
            {"name": name},
        )
        return await sign_in.admit_new(admin_id, name, visitor)


async def change_password(session: Session, *, current: str, new: str, host: str, visitor: Visitor) -> str:
    """Ends every other session; returns the new id of this one. Raises WrongSignIn, TooManyTries, PasswordUnfit."""
    await sign_in.check_password(session, current, visitor)
    hashed = await passwords.hash_chosen(new, about=[session.name, session.email, host])
    async with transaction():
        await database.execute("UPDATE admin SET password_hash = $2 WHERE id = $1", session.admin_id, hashed)
        await _write(session, "changed the password")
        return await _renew(session)


async def enrol(session: Session, offered: Offer, code: str) -> tuple[str, list[str]]:
    """The second factor begins. Returns the session's new id and the recovery codes. Raises WrongCode, TooManyTries."""
    tries = await throttle.count({f"enrol {session.admin_id}": throttle.PER_CODE})
    async with transaction():
        await _lock(session.admin_id)
        await second_factor.take(session.admin_id, offered, code)
        codes = await second_factor.new_recovery_codes(session.admin_id)
        await _write(session, "set up the second factor")
        token = await _renew(session, shown=True)
    await throttle.forgive(tries)
    return token, codes


async def renew_recovery_codes(session: Session, *, password: str, visitor: Visitor) -> list[str]:
    """Raises WrongSignIn, TooManyTries."""
    await sign_in.check_password(session, password, visitor)
    async with transaction():
        codes = await second_factor.new_recovery_codes(session.admin_id)
        await _write(session, "made new recovery codes")
    return codes


async def give_up_second_factor(session: Session, *, password: str, visitor: Visitor) -> str:
    """Ends every other session; returns the new id of this one. Raises WrongSignIn, TooManyTries."""
    await sign_in.check_password(session, password, visitor)
    async with transaction():
        if await second_factor.remove(session.admin_id):
            await _write(session, "gave up the second factor")
        return await _renew(session)


async def sign_out_everywhere(session: Session) -> None:
    async with transaction():
        await admin_sessions.end_all(session.admin_id)
        await _write(session, "signed out everywhere")


async def end_session(session: Session, other: str) -> None:
    """One of their own, from the list."""
    async with transaction():
        theirs = {row["id"]: row["browser"] for row in await admin_sessions.open_ones(session.admin_id)}
        if other in theirs:
            await admin_sessions.end(other)
            await _write(session, "signed out a browser", {"browser": theirs[other]})


async def change_role(
    actor: Actor, admin_id: UUID, role: Role, *, was: Role | None = None, proof: Proof | None = None
) -> None:
    """`was`: what the page said. Raises AdminNotFound, Overtaken, LastOwner; for an owner PasswordNeeded, WrongSignIn,
    TooManyTries."""
    proven = await _is_proven(actor, proof)
    async with transaction():
        owners = await _lock_owners()
        admin = await _lock(admin_id)
        if admin["role"] == role:
            return
        if was is not None and admin["role"] != was:
            raise Overtaken(Role(admin["role"]))
        _insist(proven, role)
        _refuse_last_owner(owners, admin_id, stays=role == Role.OWNER)
        await database.execute("UPDATE admin SET role = $2 WHERE id = $1", admin_id, role.value)
        await admin_sessions.end_all(admin_id)
        await audit.write(actor, "changed the role", "admin", admin_id, {"role": admin["role"]}, {"role": role.value})


async def disable(actor: Actor, admin_id: UUID) -> None:
    """Raises AdminNotFound, LastOwner."""
    async with transaction():
        owners = await _lock_owners()
        await _lock(admin_id)
        _refuse_last_owner(owners, admin_id, stays=False)
        won = "UPDATE admin SET disabled_at = clock_timestamp() WHERE id = $1 AND disabled_at IS NULL RETURNING id"
        if await database.fetchval(won, admin_id) is None:
            return
        await admin_sessions.end_all(admin_id)
        await database.execute(SPEND_LINKS, admin_id)
        await audit.write(actor, "disabled", "admin", admin_id, {"disabled": False}, {"disabled": True})


async def enable(actor: Actor, admin_id: UUID, *, proof: Proof | None = None) -> None:
    """Raises AdminNotFound; for an owner PasswordNeeded, WrongSignIn, TooManyTries."""
    proven = await _is_proven(actor, proof)
    async with transaction():
        admin = await _lock(admin_id)
        if admin["disabled_at"] is None:
            return
        _insist(proven, admin["role"])
        await database.execute("UPDATE admin SET disabled_at = NULL WHERE id = $1", admin_id)
        await audit.write(actor, "enabled", "admin", admin_id, {"disabled": True}, {"disabled": False})


async def remove_second_factor(actor: Actor, admin_id: UUID, *, proof: Proof | None = None) -> None:
    """For somebody who lost phone and paper. Ends their sessions. Raises AdminNotFound, OwnAccount; for an owner
    PasswordNeeded, WrongSignIn, TooManyTries."""
    _refuse_own(actor, admin_id)
    proven = await _is_proven(actor, proof)
    async with transaction():
        _insist(proven, (await _lock(admin_id))["role"])
        if await second_factor.remove(admin_id):
            await admin_sessions.end_all(admin_id)
            await audit.write(actor, "removed the second factor", "admin", admin_id)


async def everybody() -> list[Any]:
    return list(await database.fetch(EVERYBODY))


async def find_by_email(email: str) -> UUID:
    """Raises AdminNotFound."""
    found = await _by_email(email)
    if found is None:
        raise AdminNotFound
    return found


async def _by_email(email: str) -> UUID | None:
    return await database.fetchval("SELECT id FROM admin WHERE lower(email) = lower($1)", email)


async def _new(actor: Actor, *, email: str, name: str, role: Role) -> UUID | None:
    """None when there is somebody with this address."""
    admin_id = await database.fetchval(NEW, new_id(), email, name, role.value)
    if admin_id is not None:
        await audit.write(actor, "invited", "admin", admin_id, after={"email": email, "role": role.value})
    return admin_id


async def _lock(admin_id: UUID) -> Any:
    admin = await database.fetchrow(LOCK, admin_id)
    if admin is None:
        raise AdminNotFound
    return admin


async def _lock_owners() -> set[UUID]:
    return {row["id"] for row in await database.fetch(LOCK_OWNERS)}


async def _is_proven(actor: Actor, proof: Proof | None) -> bool:
    """Whether they showed their password again; the command line has nobody to ask."""
    if proof is None:
        return actor.id is None
    await sign_in.check_password(proof.session, proof.password, proof.visitor)
    return True


def _insist(proven: bool, role: str) -> None:
    if role == Role.OWNER and not proven:
        raise PasswordNeeded


def _refuse_own(actor: Actor, admin_id: UUID) -> None:
    if actor.id == admin_id:
        raise OwnAccount


def _refuse_last_owner(owners: set[UUID], admin_id: UUID, *, stays: bool) -> None:
    if owners == {admin_id} and not stays:
        raise LastOwner


async def _new_link(admin_id: UUID, purpose: str, lives: timedelta) -> str:
    token = secrets.token_urlsafe(32)
    await database.execute(SPEND_LINKS, admin_id)
    await database.execute(NEW_LINK, admin_sessions.hashed(token), admin_id, purpose, lives)
    return token


async def _renew(session: Session, *, shown: bool = False) -> str:
    """The rights have changed: this session gets a new id, all others end."""
    await admin_sessions.end_all(session.admin_id, but=session.id)
    token = await admin_sessions.rotate(session.id, shown=shown)
    if token is None:
        raise WrongCode
    return token


async def _write(session: Session, action: str, after: dict[str, Any] | None = None) -> None:
    actor = Actor(session.admin_id, session.name or session.email)
    await audit.write(actor, action, "admin", session.admin_id, after=after)
