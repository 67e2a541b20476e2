"""One's own account, and the people page of owners."""

import html
import re
from datetime import UTC, datetime
from uuid import uuid4

from services import admin_sessions, throttle
from tests.admins import PASSWORD, MadeAdmin, make_admin, open_session

NEW_PASSWORD = "eleven quiet harbours"


def offer_on(page: str) -> tuple[str, str]:
    """The sealed offer, and the secret that somebody types who cannot scan."""
    sealed = re.search(r'name="offer" value="([^"]+)"', page)[1]
    return html.unescape(sealed), re.search(r'class="secret">([A-Z2-7 ]+)<', page)[1].replace(" ", "")


async def test_a_second_factor_is_set_up_with_proof_and_its_codes_are_shown_once(signed_in):
    desk = await signed_in("manager")
    before = desk.cookies["desk"]
    page = await desk.get("/admin/account/second-factor?next=/admin/account")
    sealed, secret = offer_on(page.text)
    wrong = await desk.post("/admin/account/second-factor", data={"offer": sealed, "code": "000000"})
    assert wrong.status_code == 422
    assert offer_on(wrong.text) == (sealed, secret), "the same picture, or the app has to scan again"
    code = await MadeAdmin(desk.admin.id, desk.admin.email, "manager", secret).code()
    right = await desk.post(
        "/admin/account/second-factor", data={"offer": sealed, "code": code, "next": "/admin/account"}
    )
    assert right.status_code == 200
    assert len(re.findall(r"<code>[2-9a-z]{4}-[2-9a-z]{4}-[2-9a-z]{4}</code>", right.text)) == 10
    assert 'href="/admin/account"' in right.text
    assert desk.cookies["desk"] != before
    account = await desk.get("/admin/account")
    assert "10 recovery codes left" in account.text
    assert "<code>" not in account.text
    assert (await desk.get("/admin/account/second-factor")).headers["location"] == "/admin/account"


async def test_turned_on_twice_one_is_told_where_new_codes_are_made(signed_in):
    """Without JavaScript, by a double click: the second has the new cookie and the old token."""
    desk = await signed_in("manager")
    sealed, secret = offer_on((await desk.get("/admin/account/second-factor")).text)
    form = {"offer": sealed, "code": await MadeAdmin(desk.admin.id, desk.admin.email, "manager", secret).code()}
    first = await desk.post("/admin/account/second-factor", data=form)
    assert "Keep these codes" in first.text
    second = await desk.post("/admin/account/second-factor", data=form)
    assert second.status_code == 303
    page = await desk.get(second.headers["location"])
    assert "If you haven’t seen your recovery codes, make new ones below." in page.text
    assert "10 recovery codes left" in page.text


async def test_an_offer_that_is_not_ours_brings_a_fresh_one(signed_in):
    desk = await signed_in("manager")
    for sealed in ("", "made-up", "ü"):
        answer = await desk.post("/admin/account/second-factor", data={"offer": sealed, "code": "123456"})
        assert answer.status_code == 422
        assert offer_on(answer.text)[0] != sealed


async def test_giving_up_the_second_factor_asks_for_the_password(signed_in):
    desk = await signed_in("manager", protected=True)
    refused = await desk.post("/admin/account/second-factor/removal", data={"confirm-password": "a guess at it"})
    assert refused.status_code == 422
    assert "That isn’t your password" in refused.text
    answer = await desk.post("/admin/account/second-factor/removal", data={"confirm-password": PASSWORD})
    assert answer.headers["location"].startswith("/admin/account?done=")
    assert "The second factor is off." in (await desk.get(answer.headers["location"])).text


async def test_new_recovery_codes_ask_for_the_password_too(signed_in):
    desk = await signed_in("manager", protected=True)
    assert (await desk.post("/admin/account/second-factor/recovery-codes", data={})).status_code == 422
    answer = await desk.post("/admin/account/second-factor/recovery-codes", data={"confirm-password": PASSWORD})
    assert len(re.findall("<code>", answer.text)) == 10


async def test_the_password_is_changed_and_this_browser_stays_in(signed_in):
    desk = await signed_in("manager")
    there = await open_session(desk.admin)
    form = {"current-password": PASSWORD, "new-password": NEW_PASSWORD}
    refused = await desk.post("/admin/account/password", data={**form, "new-password": "password1234"})
    assert (refused.status_code, "Many people choose" in refused.text) == (422, True)
    refused = await desk.post("/admin/account/password", data={**form, "current-password": "wrong"})
    assert (refused.status_code, "That isn’t your password" in refused.text) == (422, True)
    assert NEW_PASSWORD not in refused.text
    answer = await desk.post("/admin/account/password", data=form)
    assert answer.status_code == 303
    assert "Your password is changed." in (await desk.get(answer.headers["location"])).text
    assert await admin_sessions.find(there) is None


async def test_sessions_are_listed_and_ended_one_by_one_or_all(signed_in):
    desk = await signed_in("door")
    there = await open_session(desk.admin)
    page = await desk.get("/admin/account")
    assert page.text.count("Firefox on Linux") == 2
    assert page.text.count("This one") == 1
    await desk.post("/admin/account/sessions/end", data={"session": admin_sessions.hashed(there)})
    assert await admin_sessions.find(there) is None
    answer = await desk.post("/admin/account/sessions/end-all")
    assert answer.headers["location"] == "/admin/login"
    assert (await desk.get("/admin/account")).status_code == 303


async def test_somebody_elses_session_is_not_ended_from_here(signed_in):
    desk = await signed_in("door")
    theirs = await open_session(await make_admin())
    await desk.post("/admin/account/sessions/end", data={"session": admin_sessions.hashed(theirs)})
    assert await admin_sessions.find(theirs)


# ---------------------------------------------------------------- the people page


async def test_an_owner_invites_with_a_link_that_is_shown_once(signed_in, browser):
    desk = await signed_in("owner")
    answer = await desk.post("/admin/admins", data={"email": "Ana@example.org", "role": "door"})
    assert answer.status_code == 200
    link = re.search(r'value="(http://shop\.localhost/admin/enter/[^"]+)"', answer.text)[1]
    assert "as Door" in (await browser.get(link)).text
    assert "/admin/enter/" not in (await desk.get("/admin/admins")).text


async def test_an_invitation_with_a_mistake_says_which(signed_in):
    desk = await signed_in("owner")
    for form, words in (
        ({"email": "ana", "role": "door"}, "with an @"),
        ({"email": "ana@example.org", "role": "emperor"}, "Choose what this person may do"),
        ({"email": desk.admin.email, "role": "door"}, "has been invited before"),
        ({"email": desk.admin.email, "role": "owner"}, "has been invited before"),
    ):
        answer = await desk.post("/admin/admins", data=form)
        assert (answer.status_code, words in answer.text) == (422, True)


async def test_role_disabling_and_helping_with_a_lost_phone(signed_in):
    desk, manager = await signed_in("owner"), await make_admin("manager", protected=True)
    theirs = f"/admin/admins/{manager.id}"
    for address, form, words in (
        (f"{theirs}/second-factor/removal", {}, "Their second factor is removed."),
        (f"{theirs}/role", {"role": "door"}, "The role is changed."),
        (f"{theirs}/disablement", {}, "They are signed out"),
        (f"{theirs}/enablement", {}, "They can sign in again."),
    ):
        answer = await desk.post(address, data=form)
        assert answer.status_code == 303, address
        assert words in (await desk.get(answer.headers["location"])).text
    answer = await desk.post(f"{theirs}/link")
    assert f"The link for {manager.email}" in answer.text


async def test_the_last_owner_hears_why_not(signed_in):
    desk = await signed_in("owner")
    for address, form in (("role", {"role": "door"}), ("disablement", {})):
        answer = await desk.post(f"/admin/admins/{desk.admin.id}/{address}", data=form)
        assert answer.status_code == 409
        assert "Make another person owner first" in answer.text


async def test_nobody_by_that_id_is_not_found(signed_in):
    desk = await signed_in("owner")
    for address in ("role", "disablement", "enablement", "link", "second-factor/removal"):
        for form in ({"role": "door"}, {"role": "owner"}, {"role": "owner", "confirm-password": PASSWORD}):
            assert (await desk.post(f"/admin/admins/{uuid4()}/{address}", data=form)).status_code == 404


# ---------------------------------------------------------------- what an open screen is not enough for


def hidden(page: str) -> dict[str, str]:
    """What the form on the page carries beside what somebody types: not its token, not whose password it is."""
    found = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    return {name: html.unescape(value) for name, value in found.items() if name not in ("csrf", "username")}


async def test_an_owner_is_invited_with_the_password_and_nothing_typed_is_lost(signed_in):
    desk = await signed_in("owner")
    typed = {"email": "ana@example.org", "role": "owner"}
    asked = await desk.post("/admin/admins", data=typed)
    assert asked.status_code == 200
    assert "Invite ana@example.org as an owner?" in asked.text
    assert "/admin/enter/" not in asked.text
    assert hidden(asked.text) == typed
    wrong = await desk.post("/admin/admins", data={**hidden(asked.text), "confirm-password": "a guess at it"})
    assert wrong.status_code == 422
    assert "That isn’t your password. Nothing was changed." in wrong.text
    assert "a guess at it" not in wrong.text
    assert hidden(wrong.text) == typed
    right = await desk.post("/admin/admins", data={**hidden(wrong.text), "confirm-password": PASSWORD})
    assert "The link for ana@example.org" in right.text
    assert PASSWORD not in right.text


async def test_every_way_to_an_owners_account_is_asked_about_with_the_password(signed_in):
    desk, manager = await signed_in("owner"), await make_admin("manager", name="Jonas Weber")
    other = await make_admin(name="Ana Kovač", protected=True)
    gone = await make_admin(name="Luka Horvat", disabled_at=datetime.now(UTC))
    for address, form, question, done in (
        (f"{manager.id}/role", {"role": "owner", "was": "manager"}, "Make Jonas Weber an owner?", "role is changed"),
        (f"{other.id}/second-factor/removal", {}, "Remove the second factor of Ana Kovač?", "factor is removed"),
        (f"{other.id}/link", {}, "Make a new link for Ana Kovač?", f"The link for {other.email}"),
        (f"{gone.id}/enablement", {}, "Let Luka Horvat in again?", "can sign in again"),
    ):
        asked = await desk.post(f"/admin/admins/{address}", data=form)
        assert (asked.status_code, f"<h1>{question}</h1>" in asked.text) == (200, True), address
        assert f'action="/admin/admins/{address}"' in asked.text
        assert hidden(asked.text) == form
        wrong = await desk.post(f"/admin/admins/{address}", data={**form, "confirm-password": ""})
        assert (wrong.status_code, "That isn’t your password" in wrong.text) == (422, True), address
        right = await desk.post(f"/admin/admins/{address}", data={**form, "confirm-password": PASSWORD})
        page = right if right.status_code == 200 else await desk.get(right.headers["location"])
        assert done in page.text, address


async def test_guessing_the_password_of_an_open_screen_makes_a_pause(signed_in):
    desk, other = await signed_in("owner"), await make_admin()
    for _ in range(throttle.PER_EMAIL):
        await desk.post(f"/admin/admins/{other.id}/link", data={"confirm-password": "a guess"})
    answer = await desk.post(f"/admin/admins/{other.id}/link", data={"confirm-password": PASSWORD})
    assert answer.status_code == 429
    assert "There were too many tries. Wait 15 minutes" in answer.text


async def test_who_came_in_by_a_link_and_has_no_password_is_asked_without_one(signed_in):
    desk, other = await signed_in("owner", password_hash=None), await make_admin()
    asked = await desk.post(f"/admin/admins/{other.id}/link")
    assert 'type="password"' not in asked.text
    assert f"The link for {other.email}" not in asked.text
    form = {"confirm-password": ""}
    assert f"The link for {other.email}" in (await desk.post(f"/admin/admins/{other.id}/link", data=form)).text


async def test_ones_own_account_is_not_opened_from_the_list_of_people(signed_in):
    desk = await signed_in("owner", protected=True)
    page = (await desk.get("/admin/admins")).text
    for address in ("link", "second-factor/removal"):
        assert f"{desk.admin.id}/{address}" not in page
        for form in ({}, {"confirm-password": PASSWORD}):
            answer = await desk.post(f"/admin/admins/{desk.admin.id}/{address}", data=form)
            assert answer.status_code == 409
            assert "This is your own account." in answer.text
            assert "/admin/enter/" not in answer.text
    assert "10 recovery codes left" in (await desk.get("/admin/account")).text


# ---------------------------------------------------------------- two owners at once


def row_of(page: str, person: MadeAdmin) -> str:
    return re.search(rf'<form [^>]*action="/admin/admins/{person.id}/role">.*?</form>', page, re.DOTALL)[0]


def choice_in(row: str) -> str:
    return re.search(r'<option value="(\w+)" selected>', row)[1]


async def test_whoever_was_overtaken_hears_by_whom_and_keeps_their_choice(signed_in):
    mira, ana = await signed_in("owner", name="Mira Novak"), await signed_in("owner", name="Ana Kovač")
    jonas = await make_admin("manager", name="Jonas Weber")
    read = row_of((await mira.get("/admin/admins")).text, jonas)
    assert (hidden(read), choice_in(read)) == ({"was": "manager"}, "manager")
    address = f"/admin/admins/{jonas.id}/role"
    assert (await ana.post(address, data={"role": "door", "was": "manager"})).status_code == 303
    late = await mira.post(address, data={"role": "readonly", **hidden(read)})
    assert late.status_code == 409
    assert "Ana Kovač has set the role of Jonas Weber to Door. You chose Read only." in late.text
    assert "Now Door" in late.text
    row = row_of(late.text, jonas)
    assert (hidden(row), choice_in(row)) == ({"was": "door"}, "readonly")
    assert (await mira.post(address, data={"role": choice_in(row), **hidden(row)})).status_code == 303
    row = row_of((await mira.get("/admin/admins")).text, jonas)
    assert (hidden(row), choice_in(row)) == ({"was": "readonly"}, "readonly")


async def test_two_who_choose_the_same_do_not_quarrel(signed_in):
    desk, jonas = await signed_in("owner"), await make_admin("manager")
    for _ in range(2):
        answer = await desk.post(f"/admin/admins/{jonas.id}/role", data={"role": "door", "was": "manager"})
        assert answer.status_code == 303


async def test_names_and_addresses_are_shown_as_text(signed_in):
    desk = await signed_in("owner", name="<script>alert(1)</script>")
    for address in ("/admin/account", "/admin/admins"):
        assert "<script>alert" not in (await desk.get(address)).text


async def test_putting_somebody_out_is_asked_first_and_says_whom(signed_in):
    owner, other = await signed_in("owner"), await make_admin("manager", name="Jonas Weber")
    address = f"/admin/admins/{other.id}/disablement"
    assert f'href="{address}"' in (await owner.get("/admin/admins")).text
    assert "Disable Jonas Weber?" in (await owner.get(address)).text
    assert (await owner.get(f"/admin/admins/{uuid4()}/disablement")).status_code == 404
