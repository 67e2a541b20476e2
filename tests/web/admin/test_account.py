"""One's own account, and the people page of owners."""

import html
import re
from uuid import uuid4

from services import admin_sessions
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
    for address, form in (("role", {"role": "door"}), ("disablement", {}), ("link", {}), ("second-factor/removal", {})):
        assert (await desk.post(f"/admin/admins/{uuid4()}/{address}", data=form)).status_code == 404


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
