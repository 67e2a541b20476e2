"""People behind the desk: how they come in, what ends their sessions, and what is written down about it."""

import asyncio
import json

import asyncpg
import pytest

from domain.access import (
    AlreadyAdmin,
    LastOwner,
    LinkSpent,
    OwnAccount,
    PasswordNeeded,
    PasswordUnfit,
    Role,
    TooManyTries,
    WrongCode,
    WrongSignIn,
)
from domain.errors import Overtaken
from models import database as db
from models.admin import Admin
from services import admin_sessions, admins, audit, passwords, second_factor, sign_in, throttle
from services.sign_in import Admitted, Proof, Visitor
from tests import mutants
from tests.admins import PASSWORD, make_admin, open_session, protect
from tests.makers import let_time_pass

HERE = Visitor(address="192.0.2.1", browser="Firefox on Linux")
ELSEWHERE = Visitor(address="192.0.2.2", browser="Chrome on Android")
HOST = "https://shop.example"
NEW_PASSWORD = "eleven quiet harbours"


async def enter(admin, password: str = PASSWORD, visitor: Visitor = HERE) -> Admitted:
    return await sign_in.with_password(email=admin.email, password=password, visitor=visitor)


async def fail(email: str, times: int, visitor: Visitor = HERE) -> None:
    for _ in range(times):
        with pytest.raises(WrongSignIn):
            await sign_in.with_password(email=email, password="not the password", visitor=visitor)


async def session_of(token: str) -> admin_sessions.Session:
    session = await admin_sessions.find(token)
    assert session is not None
    return session


async def written(action: str) -> list[dict]:
    rows = await db.fetch("SELECT * FROM audit_entry WHERE action = $1 ORDER BY id", action)
    return [{**row, "before": json.loads(row["before"]), "after": json.loads(row["after"])} for row in rows]


# ---------------------------------------------------------------- one-time links


async def test_an_invited_person_chooses_a_password_and_is_in(database):
    owner = await make_admin()
    token = await admins.invite(audit.Actor(owner.id, "Mira"), email="ana@example.org", role=Role.MANAGER)
    admitted = await admins.accept(token, name="Ana", password=NEW_PASSWORD, host=HOST, visitor=HERE)
    session = await session_of(admitted.session)
    assert (session.name, session.email, session.role) == ("Ana", "ana@example.org", "manager")
    assert await sign_in.with_password(email="ANA@example.org ", password=NEW_PASSWORD, visitor=ELSEWHERE)
    [invited] = await written("invited")
    assert (invited["actor_id"], invited["after"]["role"]) == (owner.id, "manager")
    assert [entry["actor_name"] for entry in await written("accepted the invitation")] == ["Ana"]


async def test_a_link_is_good_once_also_when_two_use_it_at_the_same_moment(database):
    token = await admins.by_hand(email="ana@example.org", role=Role.OWNER)
    await sign_in.link_behind(token)
    answers = await asyncio.gather(
        *(admins.accept(token, name="Ana", password=NEW_PASSWORD, host=HOST, visitor=HERE) for _ in range(3)),
        return_exceptions=True,
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["Admitted", "LinkSpent", "LinkSpent"]
    with pytest.raises(LinkSpent):
        await sign_in.link_behind(token)


async def test_a_password_that_will_not_do_leaves_the_link_good(database):
    token = await admins.by_hand(email="ana@example.org", role=Role.OWNER)
    with pytest.raises(PasswordUnfit):
        await admins.accept(token, name="Ana", password="ana.example.org", host=HOST, visitor=HERE)
    assert await admins.accept(token, name="Ana", password=NEW_PASSWORD, host=HOST, visitor=HERE)


async def test_a_link_runs_out_and_a_fresh_one_replaces_it(database):
    admin = await make_admin()
    first = await admins.by_hand(email=admin.email, role=Role.OWNER)
    second = await admins.by_hand(email=admin.email, role=Role.OWNER)
    with pytest.raises(LinkSpent):
        await sign_in.link_behind(first)
    await let_time_pass(days=3, minutes=1)
    with pytest.raises(LinkSpent):
        await sign_in.link_behind(second)
    with pytest.raises(LinkSpent):
        await sign_in.with_entrance(second, HERE)


async def test_an_entrance_is_no_invitation_and_the_other_way_round(database):
    entrance = await admins.entrance(email="demo@example.org", name="Demo", role=Role.OWNER)
    with pytest.raises(LinkSpent):
        await admins.accept(entrance, name="Eve", password=NEW_PASSWORD, host=HOST, visitor=HERE)
    assert await sign_in.with_entrance(entrance, HERE)
    invitation = await admins.by_hand(email="demo@example.org", role=Role.OWNER)
    with pytest.raises(LinkSpent):
        await sign_in.with_entrance(invitation, HERE)


async def test_a_link_for_a_forgotten_password_still_asks_for_the_second_factor(database):
    admin = await make_admin(protected=True)
    old = await open_session(admin)
    token = await admins.by_hand(email=admin.email, role=Role.DOOR)
    admitted = await admins.accept(token, name="Mira", password=NEW_PASSWORD, host=HOST, visitor=HERE)
    session = await session_of(admitted.session)
    assert (session.has_second_factor, session.shown, session.role) == (True, False, "owner")
    assert await admin_sessions.find(old) is None


async def test_nobody_is_invited_twice(database):
    admin = await make_admin(email="Ana@example.org")
    with pytest.raises(AlreadyAdmin):
        await admins.invite(audit.SYSTEM, email="ana@EXAMPLE.org", role=Role.DOOR)
    with pytest.raises(asyncpg.UniqueViolationError):
        await make_admin(email=admin.email.upper())


async def invite_at_once(times: int) -> list[str]:
    """The same person; what comes of it each time."""
    answers = await asyncio.gather(
        *(admins.invite(audit.SYSTEM, email="ana@example.org", role=Role.DOOR) for _ in range(times)),
        return_exceptions=True,
    )
    return sorted(type(answer).__name__ for answer in answers)


async def test_of_two_who_invite_the_same_person_at_once_one_hears_of_the_other(database):
    assert await invite_at_once(2) == ["AlreadyAdmin", "str"]
    assert len(await written("invited")) == 1


async def test_an_invitation_that_looks_and_leaps_breaks_when_two_press_at_once(database):
    with mutants.breaks("UniqueViolationError"), mutants.sql("ON CONFLICT (lower(email)) DO NOTHING", ""):
        await test_of_two_who_invite_the_same_person_at_once_one_hears_of_the_other(database)


# ---------------------------------------------------------------- passwords


async def test_the_stored_password_is_argon2id_and_says_nothing(database):
    admin = await make_admin()
    stored = await db.fetchval("SELECT password_hash FROM admin WHERE id = $1", admin.id)
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert PASSWORD not in stored


async def test_a_wrong_password_an_unknown_and_a_disabled_person_get_the_same_refusal(database):
    admin, gone, invited = await make_admin(), await make_admin("manager"), await make_admin(password_hash=None)
    await admins.disable(audit.SYSTEM, gone.id)
    for email, password in (
        (admin.email, "not the password"),
        ("nobody@example.org", PASSWORD),
        (gone.email, PASSWORD),
        (invited.email, PASSWORD),
    ):
        with pytest.raises(WrongSignIn) as refusal:
            await sign_in.with_password(email=email, password=password, visitor=HERE)
        assert vars(refusal.value) == {}


async def test_somebody_who_does_not_exist_costs_a_whole_hash(database, monkeypatch):
    verified = []
    whole = passwords._verify
    monkeypatch.setattr(passwords, "_verify", lambda *given: verified.append(given[0]) or whole(*given))
    admin = await make_admin()
    await fail(admin.email, 1)
    await fail("nobody@example.org", 1)
    parameters = {stored.rsplit("$", 2)[0] for stored in verified}
    assert len(verified) == 2
    assert parameters == {"$argon2id$v=19$m=65536,t=3,p=4"}


async def test_a_hash_with_weaker_parameters_is_made_again_at_the_next_sign_in(database):
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=8192).hash(PASSWORD)
    admin = await make_admin(password_hash=weak)
    await enter(admin)
    stored = await db.fetchval("SELECT password_hash FROM admin WHERE id = $1", admin.id)
    assert "m=65536" in stored
    assert await enter(admin)


async def test_a_new_password_ends_every_other_session_and_renames_this_one(database):
    admin = await make_admin()
    here, there = await open_session(admin), await open_session(admin)
    renewed = await admins.change_password(
        await session_of(here), current=PASSWORD, new=NEW_PASSWORD, host=HOST, visitor=HERE
    )
    assert await admin_sessions.find(renewed)
    assert await admin_sessions.find(here) is None
    assert await admin_sessions.find(there) is None
    await fail(admin.email, 0)
    with pytest.raises(WrongSignIn):
        await enter(admin)
    assert await enter(admin, NEW_PASSWORD)


async def test_a_stranger_at_an_open_screen_cannot_change_the_password(database):
    admin = await make_admin()
    session = await session_of(await open_session(admin))
    with pytest.raises(WrongSignIn):
        await admins.change_password(session, current="a guess at it", new=NEW_PASSWORD, host=HOST, visitor=HERE)
    for _ in range(throttle.PER_EMAIL - 1):
        with pytest.raises(WrongSignIn):
            await admins.give_up_second_factor(session, password="another guess", visitor=HERE)
    with pytest.raises(TooManyTries):
        await admins.renew_recovery_codes(session, password=PASSWORD, visitor=HERE)


# ---------------------------------------------------------------- throttling


async def test_after_ten_wrong_passwords_even_the_right_one_waits_and_then_it_is_looked_at(database):
    admin = await make_admin()
    await fail(admin.email, throttle.PER_EMAIL)
    with pytest.raises(TooManyTries) as refusal:
        await enter(admin, visitor=ELSEWHERE)
    assert 14 <= refusal.value.wait.total_seconds() / 60 <= 15
    await let_time_pass(minutes=16)
    assert await enter(admin)


async def test_a_refused_try_makes_nobody_wait_longer(database):
    admin = await make_admin()
    await fail(admin.email, throttle.PER_EMAIL)
    await let_time_pass(minutes=10)
    for _ in range(20):
        with pytest.raises(TooManyTries):
            await enter(admin)
    await let_time_pass(minutes=6)
    assert await enter(admin)


async def test_an_unknown_address_is_slowed_down_just_the_same(database):
    await fail("nobody@example.org", throttle.PER_EMAIL)
    with pytest.raises(TooManyTries):
        await sign_in.with_password(email="NOBODY@example.org", password=PASSWORD, visitor=HERE)


async def test_guesses_at_the_same_moment_do_not_slip_past_each_other(database):
    admin = await make_admin()
    answers = await asyncio.gather(
        *(enter(admin, "not the password") for _ in range(throttle.PER_EMAIL + 6)), return_exceptions=True
    )
    names = [type(answer).__name__ for answer in answers]
    assert (names.count("WrongSignIn"), names.count("TooManyTries")) == (throttle.PER_EMAIL, 6)


async def test_a_success_takes_its_own_tries_back(database):
    admin = await make_admin()
    for _ in range(3):
        await fail(admin.email, throttle.PER_EMAIL - 1)
        await enter(admin)


async def test_a_stranger_who_keeps_failing_does_not_lock_out_the_owner(database):
    admin = await make_admin()
    known = await enter(admin)
    await fail(admin.email, throttle.PER_EMAIL, visitor=ELSEWHERE)
    with pytest.raises(TooManyTries):
        await enter(admin, visitor=ELSEWHERE)
    assert await enter(admin, visitor=Visitor(HERE.address, HERE.browser, mark=known.mark))


async def test_the_mark_of_a_browser_helps_with_its_own_admin_only_and_cannot_be_made_up(database):
    admin, other = await make_admin(), await make_admin()
    known = await enter(other)
    await fail(admin.email, throttle.PER_EMAIL)
    for mark in (known.mark, "x" * 32 + "." + "0" * 64, "", "ü.ü"):
        with pytest.raises(TooManyTries):
            await enter(admin, visitor=Visitor(ELSEWHERE.address, mark=mark))


async def test_a_marked_browser_that_guesses_is_slowed_down_by_itself(database):
    admin = await make_admin()
    marked = Visitor("192.0.2.9", mark=(await enter(admin)).mark)
    await fail(admin.email, throttle.PER_EMAIL, visitor=marked)
    with pytest.raises(TooManyTries):
        await enter(admin, visitor=marked)
    assert await enter(admin, visitor=ELSEWHERE)


async def test_one_address_that_tries_many_people_is_slowed_down(database):
    admin = await make_admin()
    for number in range(throttle.PER_ADDRESS):
        await throttle.count({f"email {number}": 10, throttle.of_address(HERE.address): throttle.PER_ADDRESS})
    with pytest.raises(TooManyTries):
        await enter(admin, visitor=HERE)
    assert await enter(admin, visitor=ELSEWHERE)


def test_a_household_counts_as_one():
    assert throttle.of_address("2001:db8::1") == throttle.of_address("2001:db8::ffff:1")
    assert throttle.of_address("2001:db8::1") != throttle.of_address("2001:db8:0:1::1")
    assert throttle.of_address("192.0.2.1") != throttle.of_address("192.0.2.2")
    assert throttle.of_address("") == "address "


async def test_what_was_typed_is_not_kept(database):
    await fail("secret-typed-into-the-wrong-field", 1)
    rows = await db.fetch("SELECT subject FROM sign_in_attempt")
    assert len(rows) == 2
    assert all(len(row["subject"]) == 64 for row in rows)


# ---------------------------------------------------------------- second factor


async def test_the_code_of_the_app_lets_in_and_renames_the_session(database):
    admin = await make_admin(protected=True)
    admitted = await enter(admin)
    halfway = await session_of(admitted.session)
    assert not halfway.shown
    further = await sign_in.with_code(halfway, await admin.code(), HERE)
    assert (await session_of(further.session)).shown
    assert await admin_sessions.find(admitted.session) is None


async def test_a_code_that_was_used_is_refused_for_as_long_as_it_lives(database):
    admin = await make_admin(protected=True)
    code = await admin.code()
    first = await session_of((await enter(admin)).session)
    await sign_in.with_code(first, code, HERE)
    second = await session_of((await enter(admin, visitor=ELSEWHERE)).session)
    with pytest.raises(WrongCode):
        await sign_in.with_code(second, code, ELSEWHERE)
    assert await sign_in.with_code(second, await admin.code(steps=1), ELSEWHERE)


async def test_the_same_code_in_two_windows_at_once_lets_in_one(database):
    admin = await make_admin(protected=True)
    code = await admin.code()
    sessions = [await session_of(await open_session(admin, halfway=True)) for _ in range(2)]
    answers = await asyncio.gather(
        *(sign_in.with_code(session, code, HERE) for session in sessions), return_exceptions=True
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["Admitted", "WrongCode"]


@pytest.mark.parametrize("steps", [-3, 3])
async def test_a_code_of_another_time_is_refused(database, steps):
    admin = await make_admin(protected=True)
    await db.execute("UPDATE admin SET totp_last_step = 0")
    session = await session_of(await open_session(admin, halfway=True))
    with pytest.raises(WrongCode):
        await sign_in.with_code(session, await admin.code(steps=steps), HERE)


async def test_five_wrong_codes_make_a_pause_for_all_sessions_of_that_admin(database):
    admin = await make_admin(protected=True)
    for _ in range(throttle.PER_CODE):
        with pytest.raises(WrongCode):
            await sign_in.with_code(await session_of(await open_session(admin, halfway=True)), "000000", HERE)
    session = await session_of(await open_session(admin, halfway=True))
    with pytest.raises(TooManyTries):
        await sign_in.with_code(session, await admin.code(), HERE)
    with pytest.raises(TooManyTries):
        await sign_in.with_code(session, admin.recovery_codes[0], HERE)


async def test_a_recovery_code_is_good_once_however_it_is_typed(database):
    admin = await make_admin(protected=True)
    assert len(set(admin.recovery_codes)) == 10
    typed = admin.recovery_codes[3].upper().replace("-", " ")
    await sign_in.with_code(await session_of(await open_session(admin, halfway=True)), typed, HERE)
    assert await second_factor.codes_left(admin.id) == 9
    with pytest.raises(WrongCode):
        await sign_in.with_code(await session_of(await open_session(admin, halfway=True)), typed, HERE)
    assert [entry["after"] for entry in await written("used a recovery code")] == [{"left": 9}]


async def test_somebody_elses_recovery_code_is_worth_nothing(database):
    admin, other = await make_admin(protected=True), await make_admin(protected=True)
    with pytest.raises(WrongCode):
        await sign_in.with_code(
            await session_of(await open_session(admin, halfway=True)), other.recovery_codes[0], HERE
        )


async def test_new_recovery_codes_make_the_old_ones_worthless(database):
    admin = await make_admin(protected=True)
    session = await session_of(await open_session(admin))
    codes = await admins.renew_recovery_codes(session, password=PASSWORD, visitor=HERE)
    assert not set(codes) & set(admin.recovery_codes)
    with pytest.raises(WrongCode):
        await sign_in.with_code(
            await session_of(await open_session(admin, halfway=True)), admin.recovery_codes[0], HERE
        )


async def test_the_database_holds_no_secret_and_no_code(database):
    admin = await make_admin(protected=True)
    row = await db.fetchrow("SELECT * FROM admin WHERE id = $1", admin.id)
    codes = await db.fetch("SELECT id FROM admin_recovery_code")
    stored = repr(dict(row)) + repr([dict(code) for code in codes])
    assert admin.secret not in stored
    assert not [code for code in admin.recovery_codes if code in stored]


async def test_a_second_factor_begins_with_proof_ends_other_sessions_and_hands_out_codes(database):
    admin = await make_admin()
    here, there = await open_session(admin), await open_session(admin)
    session = await session_of(here)
    offered = second_factor.offer(admin.id, admin.email)
    with pytest.raises(WrongCode):
        await admins.enrol(session, offered, "000000")
    assert not (await session_of(here)).has_second_factor
    admin.secret = offered.secret
    token, codes = await admins.enrol(session, offered, await admin.code())
    assert len(codes) == 10
    assert (await session_of(token)).shown
    assert await admin_sessions.find(here) is None
    assert await admin_sessions.find(there) is None


async def test_one_that_exists_is_not_replaced_behind_its_owners_back(database):
    admin = await make_admin(protected=True)
    session = await session_of(await open_session(admin))
    offered = second_factor.offer(admin.id, admin.email)
    admin.secret, kept = offered.secret, await db.fetchval("SELECT totp_secret FROM admin")
    with pytest.raises(WrongCode):
        await admins.enrol(session, offered, await admin.code())
    assert await db.fetchval("SELECT totp_secret FROM admin") == kept


async def test_an_offer_is_for_whom_it_was_made_and_nothing_else_opens_as_one(database):
    admin, other = await make_admin(), await make_admin()
    offered = second_factor.offer(admin.id, admin.email)
    assert second_factor.reopen(offered.sealed, admin.id, admin.email) == offered
    assert second_factor.reopen(offered.sealed, other.id, other.email) is None
    await protect(other)
    secret = await db.fetchval("SELECT totp_secret FROM admin WHERE id = $1", other.id)
    for odd in ("", "ü", "x" * 200, offered.sealed[:-2], secret):
        assert second_factor.reopen(odd, admin.id, admin.email) is None


async def test_keys_can_be_rotated(database):
    from tests.conftest import SECRET_KEY

    admin = await make_admin(protected=True)
    try:
        second_factor.use_keys(("a-newer-key-that-is-long-enough-as-well", SECRET_KEY))
        await sign_in.with_code(await session_of(await open_session(admin, halfway=True)), await admin.code(), HERE)
        code = admin.recovery_codes[0]
        await sign_in.with_code(await session_of(await open_session(admin, halfway=True)), code, HERE)
    finally:
        second_factor.use_keys((SECRET_KEY,))


# ---------------------------------------------------------------- sessions


async def test_an_id_that_we_did_not_give_is_nobodys(database):
    admin = await make_admin()
    await enter(admin, visitor=Visitor("192.0.2.1", session="slipped-in-by-a-stranger"))
    assert await admin_sessions.find("slipped-in-by-a-stranger") is None


async def test_signing_in_ends_the_session_that_the_browser_came_with(database):
    admin = await make_admin()
    before = await enter(admin)
    after = await enter(admin, visitor=Visitor("192.0.2.1", session=before.session))
    assert await admin_sessions.find(before.session) is None
    assert await admin_sessions.find(after.session)


async def test_a_session_that_nobody_touches_ends_after_half_an_hour(database):
    token = await open_session(await make_admin())
    await let_time_pass(minutes=29)
    assert await admin_sessions.find(token)
    await let_time_pass(minutes=29)
    assert await admin_sessions.find(token), "being at work keeps it open"
    await let_time_pass(minutes=31)
    assert await admin_sessions.find(token) is None


async def test_a_page_that_asks_by_itself_keeps_nothing_open(database):
    token = await open_session(await make_admin())
    for _ in range(3):
        await let_time_pass(minutes=9)
        assert await admin_sessions.find(token, seen=False)
    await let_time_pass(minutes=9)
    assert await admin_sessions.find(token, seen=False) is None


async def test_after_twelve_hours_everybody_signs_in_again_whatever_id_the_session_has_now(database):
    token = await open_session(await make_admin())
    for _ in range(29):
        await let_time_pass(minutes=24)
        session = await session_of(token)
    token = await admin_sessions.rotate(session.id) or ""
    await let_time_pass(minutes=25)
    assert await admin_sessions.find(token) is None


async def test_the_database_holds_no_id_that_opens_anything(database):
    token = await open_session(await make_admin())
    [stored] = [row["id"] for row in await db.fetch("SELECT id FROM admin_session")]
    assert token not in stored
    assert await admin_sessions.find(stored) is None


async def test_signing_out_everywhere_leaves_none_open_and_an_ended_one_stays_ended(database):
    admin = await make_admin()
    tokens = [await open_session(admin) for _ in range(3)]
    await admins.sign_out_everywhere(await session_of(tokens[0]))
    assert [await admin_sessions.find(token) for token in tokens] == [None] * 3
    with pytest.raises(asyncpg.CheckViolationError):
        await db.execute("UPDATE admin_session SET ended_at = NULL")


async def test_one_ends_sessions_of_ones_own_and_nobody_elses(database):
    admin, other = await make_admin(), await make_admin()
    here, there, theirs = await open_session(admin), await open_session(admin), await open_session(other)
    session = await session_of(here)
    for token in (there, theirs):
        await admins.end_session(session, admin_sessions.hashed(token))
    assert await admin_sessions.find(there) is None
    assert await admin_sessions.find(theirs)


# ---------------------------------------------------------------- roles


async def test_another_role_ends_the_sessions_and_is_written_down(database):
    owner, manager = await make_admin(), await make_admin("manager")
    token = await open_session(manager)
    await admins.change_role(audit.Actor(owner.id, "Mira"), manager.id, Role.DOOR)
    assert await admin_sessions.find(token) is None
    [entry] = await written("changed the role")
    assert (entry["subject_id"], entry["before"], entry["after"]) == (
        str(manager.id),
        {"role": "manager"},
        {"role": "door"},
    )


async def two_choices_at_once() -> list[str]:
    """Two owners read “manager”, and choose differently."""
    manager = await make_admin("manager")
    answers = await asyncio.gather(
        admins.change_role(audit.SYSTEM, manager.id, Role.DOOR, was=Role.MANAGER),
        admins.change_role(audit.SYSTEM, manager.id, Role.READONLY, was=Role.MANAGER),
        return_exceptions=True,
    )
    return sorted(type(answer).__name__ for answer in answers)


async def test_two_owners_do_not_overwrite_each_others_role_unread(database):
    assert await two_choices_at_once() == ["NoneType", "Overtaken"], "a role was overwritten unread"
    assert len(await written("changed the role")) == 1


async def test_without_the_lock_a_role_is_overwritten_unread(database):
    with mutants.breaks("overwritten unread"), mutants.sql("FOR NO KEY UPDATE", ""):
        await test_two_owners_do_not_overwrite_each_others_role_unread(database)


async def test_whoever_was_overtaken_hears_what_the_role_is_now_and_the_same_choice_is_no_quarrel(database):
    manager = await make_admin("manager")
    await admins.change_role(audit.SYSTEM, manager.id, Role.DOOR, was=Role.MANAGER)
    with pytest.raises(Overtaken) as refusal:
        await admins.change_role(audit.SYSTEM, manager.id, Role.READONLY, was=Role.MANAGER)
    assert refusal.value.theirs is Role.DOOR
    await admins.change_role(audit.SYSTEM, manager.id, Role.DOOR, was=Role.MANAGER)
    assert len(await written("changed the role")) == 1


# ---------------------------------------------------------------- what an open screen is not enough for


async def opening(owner, other, gone, manager) -> dict:
    """Every deed that makes an owner, or opens the way to an owner's account; each may be given a proof."""
    me = audit.Actor(owner.id, "Mira")
    return {
        "invite an owner": lambda **proof: admins.invite(me, email="eve@example.org", role=Role.OWNER, **proof),
        "make an owner": lambda **proof: admins.change_role(me, manager.id, Role.OWNER, **proof),
        "a link for an owner": lambda **proof: admins.invite_again(me, other.id, **proof),
        "an owner's second factor": lambda **proof: admins.remove_second_factor(me, other.id, **proof),
        "let an owner in again": lambda **proof: admins.enable(me, gone.id, **proof),
    }


async def stands() -> list:
    """All that these deeds could change, and what is written down of them."""
    links = await db.fetchval("SELECT count(*) FROM admin_link")
    deeds = await db.fetchval("SELECT count(*) FROM audit_entry WHERE action <> 'signed in'")
    people = await db.fetch("SELECT email, role, disabled_at IS NULL, totp_secret IS NULL FROM admin ORDER BY email")
    return [links, deeds, *(tuple(row) for row in people)]


async def test_whoever_makes_an_owner_or_opens_the_way_to_one_shows_their_password_again(database):
    owner, other, gone = await make_admin(), await make_admin(protected=True), await make_admin()
    manager = await make_admin("manager")
    await admins.disable(audit.SYSTEM, gone.id)
    session = await session_of(await open_session(owner))
    before = await stands()
    deeds = await opening(owner, other, gone, manager)
    for name, deed in deeds.items():
        with pytest.raises(PasswordNeeded):
            await deed()
        with pytest.raises(WrongSignIn):
            await deed(proof=Proof(session, "a guess at it", HERE))
        assert await stands() == before, name
    for name, deed in deeds.items():
        now = await stands()
        await deed(proof=Proof(session, PASSWORD, HERE))
        assert await stands() != now, name


async def test_guesses_at_it_make_a_pause(database):
    owner, other = await make_admin(), await make_admin()
    session = await session_of(await open_session(owner))
    for _ in range(throttle.PER_EMAIL):
        with pytest.raises(WrongSignIn):
            await admins.invite_again(audit.Actor(owner.id, "Mira"), other.id, proof=Proof(session, "a guess", HERE))
    with pytest.raises(TooManyTries):
        await admins.invite_again(audit.Actor(owner.id, "Mira"), other.id, proof=Proof(session, PASSWORD, HERE))
    assert [entry["subject_id"] for entry in await written("failed to sign in")] == [str(owner.id)]


async def test_who_is_no_owner_is_helped_without_a_word(database):
    owner, manager = await make_admin(), await make_admin("manager", protected=True)
    me = audit.Actor(owner.id, "Mira")
    assert await admins.invite_again(me, manager.id)
    await admins.remove_second_factor(me, manager.id)
    await admins.disable(me, manager.id)
    await admins.enable(me, manager.id)
    await admins.change_role(me, manager.id, Role.DOOR)
    assert await admins.invite(me, email="ana@example.org", role=Role.MANAGER)


async def test_nobody_goes_around_their_own_account_page(database):
    owner = await make_admin(protected=True)
    me, proof = audit.Actor(owner.id, "Mira"), Proof(await session_of(await open_session(owner)), PASSWORD, HERE)
    for deed in (admins.invite_again, admins.remove_second_factor):
        with pytest.raises(OwnAccount):
            await deed(me, owner.id)
        with pytest.raises(OwnAccount):
            await deed(me, owner.id, proof=proof)
    assert await second_factor.codes_left(owner.id) == 10


async def test_a_disabled_person_is_out_at_once_and_stays_out(database):
    await make_admin()
    manager = await make_admin("manager")
    token, link = await open_session(manager), await admins.by_hand(email=manager.email, role=Role.DOOR)
    await admins.disable(audit.SYSTEM, manager.id)
    assert await admin_sessions.find(token) is None
    with pytest.raises(LinkSpent):
        await sign_in.link_behind(link)
    with pytest.raises(WrongSignIn):
        await enter(manager)
    await admins.enable(audit.SYSTEM, manager.id)
    assert await enter(manager)


async def test_the_last_owner_stays(database):
    owner = await make_admin()
    await make_admin("manager")
    with pytest.raises(LastOwner):
        await admins.disable(audit.SYSTEM, owner.id)
    with pytest.raises(LastOwner):
        await admins.change_role(audit.SYSTEM, owner.id, Role.MANAGER)


async def test_two_owners_who_demote_each_other_at_once_leave_one(database):
    one, two = await make_admin(), await make_admin()
    answers = await asyncio.gather(
        admins.change_role(audit.Actor(one.id, "One"), two.id, Role.DOOR),
        admins.change_role(audit.Actor(two.id, "Two"), one.id, Role.DOOR),
        return_exceptions=True,
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["LastOwner", "NoneType"]
    assert await db.fetchval("SELECT count(*) FROM admin WHERE role = 'owner'") == 1


async def test_a_lost_phone_is_helped_by_an_owner_and_ends_the_sessions(database):
    owner, manager = await make_admin(), await make_admin("manager", protected=True)
    token = await open_session(manager)
    await admins.remove_second_factor(audit.Actor(owner.id, "Mira"), manager.id)
    assert await admin_sessions.find(token) is None
    assert not (await session_of((await enter(manager)).session)).has_second_factor
    assert await second_factor.codes_left(manager.id) == 0


async def test_the_command_lets_a_locked_out_owner_in_again(database):
    owner = await make_admin(protected=True)
    other = await make_admin()
    await admins.disable(audit.SYSTEM, owner.id)
    token = await admins.by_hand(email=owner.email.upper(), role=Role.DOOR)
    admitted = await admins.accept(token, name="Mira", password=NEW_PASSWORD, host=HOST, visitor=HERE)
    assert (await session_of(admitted.session)).role == "owner"
    assert other.id


async def test_admins_are_never_deleted(database):
    admin = await make_admin()
    with pytest.raises(asyncpg.CheckViolationError):
        await Admin.delete().where(Admin.id == admin.id)
