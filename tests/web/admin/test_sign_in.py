"""Coming in through a browser: cookies, pages, statuses and words."""

import re

import pytest
from litestar._parsers import parse_url_encoded_form_data

from domain.access import Role
from services import admins, throttle
from tests.admins import PASSWORD, Desk, make_admin, open_session
from tests.web.conftest import SHOP
from web import site
from web.admin import access

SAFE = {"Sec-Fetch-Site": "same-origin"}
NEW_PASSWORD = "eleven quiet harbours"


async def sign_in(browser, admin, password: str = PASSWORD, **fields: str):
    form = {"email": admin.email, "password": password, **fields}
    return await browser.post("/admin/login", data=form, headers=SAFE)


def token_on(page: str) -> str:
    return re.search(r'name="csrf" value="([0-9a-f]{64})"', page)[1]


async def test_with_the_right_password_one_is_in_where_one_was_going(browser):
    admin = await make_admin()
    assert 'value="/admin/account?x=1"' in (await browser.get("/admin/login?next=/admin/account%3Fx%3D1")).text
    answer = await sign_in(browser, admin, next="/admin/account?x=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/account?x=1")
    assert (await browser.get("/admin/account")).status_code == 200
    assert (await browser.get("/admin/login")).headers["location"] == "/admin"


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "/events"])
async def test_signing_in_never_leads_elsewhere(browser, elsewhere):
    admin = await make_admin()
    assert (await sign_in(browser, admin, next=elsewhere)).headers["location"] == "/admin"
    assert (await browser.get("/admin/login", params={"next": elsewhere})).headers["location"] == "/admin"


async def test_the_cookie_is_for_this_host_and_no_script(browser):
    answer = await sign_in(browser, await make_admin())
    desk = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("desk="))
    assert "HttpOnly" in desk
    assert "SameSite=lax" in desk
    assert "Path=/" in desk
    assert "Max-Age" not in desk
    assert "Domain" not in desk


async def test_over_https_the_cookie_is_bound_to_the_host(browser, monkeypatch):
    secure = site.Site("https://shop.localhost", True, True, "https://js.stripe.com/x.js", "pk_test_x")
    monkeypatch.setattr(site, "_site", secure)
    answer = await sign_in(browser, await make_admin())
    cookies = answer.headers.get_list("set-cookie")
    assert {c.split("=")[0] for c in cookies} == {"__Host-desk", "__Host-known"}
    assert all("Secure" in c and "HttpOnly" in c and "Path=/" in c and "Domain" not in c for c in cookies)


async def test_a_wrong_password_and_an_unknown_person_see_the_same_page(browser):
    admin = await make_admin()
    pages = []
    for email, password in ((admin.email, "wrong wrong wrong"), ("x@example.org", "wrong wrong wrong")):
        answer = await browser.post("/admin/login", data={"email": email, "password": password}, headers=SAFE)
        assert answer.status_code == 422
        assert "set-cookie" not in answer.headers
        assert password not in answer.text
        pages.append(answer.text.replace(email, ""))
    assert pages[0] == pages[1]
    assert "That didn’t match" in pages[0]


async def test_nobody_can_be_called_nul(browser):
    answer = await browser.post("/admin/login", data={"email": "ana\0@example.org", "password": "x" * 14})
    assert answer.status_code == 422


async def test_no_password_stays_in_memory_because_it_was_typed(browser):
    parse_url_encoded_form_data.cache_clear()
    await browser.post("/admin/login", data={"email": "ana@example.org", "password": "x" * 14})
    assert parse_url_encoded_form_data.cache_info().currsize == 0, "the framework remembers bodies"


async def test_too_many_tries_make_a_pause_in_kind_words(browser):
    admin = await make_admin()
    for _ in range(throttle.PER_EMAIL):
        await sign_in(browser, admin, "wrong wrong wrong")
    answer = await sign_in(browser, admin)
    assert answer.status_code == 429
    assert "not locked" in answer.text
    assert "15 minutes" in answer.text


async def test_an_id_that_was_slipped_in_before_is_worth_nothing_after(browser):
    """Session fixation, at every step inwards."""
    admin = await make_admin(protected=True)
    browser.cookies.set("desk", "slipped-in", domain="shop.localhost")
    await sign_in(browser, admin)
    first = browser.cookies["desk"]
    assert first != "slipped-in"
    page = await browser.get("/admin/login/code")
    form = {"code": await admin.code(), "csrf": token_on(page.text)}
    assert (await browser.post("/admin/login/code", data=form, headers=SAFE)).status_code == 303
    second = browser.cookies["desk"]
    assert second != first
    for old in ("slipped-in", first):
        browser.cookies.clear()
        answer = await browser.get("/admin/account", headers={"Cookie": f"desk={old}"})
        assert answer.headers["location"].startswith("/admin/login?")


async def test_the_second_factor_is_asked_for_and_leads_on(browser):
    admin = await make_admin(protected=True)
    await sign_in(browser, admin, next="/admin/admins")
    there = (await browser.get("/admin/admins")).headers["location"]
    assert there == "/admin/login/code?next=/admin/admins"
    page = await browser.get(there)
    assert 'value="/admin/admins"' in page.text
    form = {"csrf": token_on(page.text), "next": "/admin/admins"}
    wrong = await browser.post("/admin/login/code", data={**form, "code": "000000"}, headers=SAFE)
    assert wrong.status_code == 422
    assert "That code isn’t right" in wrong.text
    right = await browser.post("/admin/login/code", data={**form, "code": await admin.code()}, headers=SAFE)
    assert (right.status_code, right.headers["location"]) == (303, "/admin/admins")
    assert (await browser.get("/admin/admins")).status_code == 200


async def test_a_recovery_code_goes_into_the_same_field(browser):
    admin = await make_admin(protected=True)
    await sign_in(browser, admin)
    page = await browser.get("/admin/login/code")
    form = {"csrf": token_on(page.text), "code": admin.recovery_codes[0]}
    assert (await browser.post("/admin/login/code", data=form, headers=SAFE)).status_code == 303
    assert "9 recovery codes left" in (await browser.get("/admin/account")).text


async def test_a_code_that_is_sent_twice_leads_on_whichever_token_the_second_carries(browser):
    """Without JavaScript, by a double click: the session has its new id, the page on the screen its old token."""
    admin = await make_admin(protected=True)
    await sign_in(browser, admin)
    page = await browser.get("/admin/login/code?next=/admin/admins")
    form = {"code": await admin.code(), "csrf": token_on(page.text), "next": "/admin/admins"}
    for _ in range(2):
        answer = await browser.post("/admin/login/code", data=form, headers=SAFE)
        assert (answer.status_code, answer.headers["location"]) == (303, "/admin/admins")
    assert (await browser.get("/admin/admins")).status_code == 200


async def test_a_code_that_is_sent_twice_with_the_cookie_from_before_leads_on_too(browser):
    admin = await make_admin(protected=True)
    await sign_in(browser, admin)
    address = f"{SHOP}/admin/login/code?next=/admin/admins"
    form = {"code": await admin.code(), "csrf": token_on((await browser.get(address)).text), "next": "/admin/admins"}
    before = browser.cookies["desk"]
    await browser.post("/admin/login/code", data=form, headers=SAFE)
    late = {**SAFE, "Cookie": f"desk={before}", "Referer": address}
    answer = await browser.post("/admin/login/code", data=form, headers=late)
    while answer.status_code == 303 and answer.headers["location"] != "/admin/admins":
        answer = await browser.get(answer.headers["location"])
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/admins")


async def test_halfway_in_a_code_without_the_token_of_this_page_is_not_looked_at(browser):
    admin = await make_admin(protected=True)
    await sign_in(browser, admin)
    answer = await browser.post("/admin/login/code", data={"code": await admin.code(), "csrf": "x"}, headers=SAFE)
    assert answer.status_code == 403
    assert (await browser.get("/admin/account")).headers["location"].startswith("/admin/login/code")


async def test_halfway_in_one_cannot_set_up_another_second_factor(app, database, stripe):
    admin = await make_admin(protected=True)
    async with Desk(app, SHOP, admin, await open_session(admin, halfway=True)) as desk:
        for method, path in (("GET", ""), ("POST", ""), ("POST", "/removal"), ("POST", "/recovery-codes")):
            answer = await desk.request(method, f"/admin/account/second-factor{path}")
            assert answer.headers["location"].startswith("/admin/login/code")


async def test_signing_out_ends_the_session_and_not_only_the_cookie(signed_in):
    desk = await signed_in("owner")
    session = desk.cookies["desk"]
    answer = await desk.post("/admin/logout")
    assert answer.headers["location"] == "/admin/login"
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert (await desk.get("/admin/account", headers={"Cookie": f"desk={session}"})).status_code == 303


# ---------------------------------------------------------------- one-time links


async def test_looking_at_a_link_uses_nothing_up(browser):
    token = await admins.by_hand(email="ana@example.org", role=Role.MANAGER)
    for _ in range(3):
        page = await browser.get(f"/admin/enter/{token}")
        assert page.status_code == 200
        assert "ana@example.org" in page.text
        assert "as Manager" in page.text
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "same-origin"
        assert "set-cookie" not in page.headers


async def test_an_invitation_asks_for_name_and_password_and_offers_the_second_factor(browser):
    token = await admins.by_hand(email="ana@example.org", role=Role.MANAGER)
    link = f"/admin/enter/{token}"
    refused = await browser.post(link, data={"name": "", "password": "short"}, headers=SAFE)
    assert refused.status_code == 422
    assert "Enter your name" in refused.text
    refused = await browser.post(link, data={"name": "Ana", "password": "short"}, headers=SAFE)
    assert (refused.status_code, "at least 12 characters" in refused.text) == (422, True)
    assert 'value="Ana"' in refused.text
    answer = await browser.post(link, data={"name": "Ana", "password": NEW_PASSWORD}, headers=SAFE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/account/second-factor")
    page = await browser.get(answer.headers["location"])
    assert ">Later</a>" in page.text
    assert "<svg" in page.text
    again = await browser.post(link, data={"name": "Eve", "password": NEW_PASSWORD}, headers=SAFE)
    assert again.status_code == 410
    assert "used up" in (await browser.get(link)).text


async def test_an_entrance_is_one_click(browser):
    token = await admins.entrance(email="owner@foyer.example", name="Mira Novak", role=Role.OWNER)
    assert "Mira Novak, Owner" in (await browser.get(f"/admin/enter/{token}")).text
    answer = await browser.post(f"/admin/enter/{token}", headers=SAFE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin")
    assert (await browser.get("/admin/account")).status_code == 200
    assert (await browser.post(f"/admin/enter/{token}", headers=SAFE)).status_code == 410


async def test_a_link_from_another_site_is_not_used_by_it(browser):
    token = await admins.entrance(email="owner@foyer.example", name="Mira Novak", role=Role.OWNER)
    answer = await browser.post(f"/admin/enter/{token}", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert (await browser.get(f"/admin/enter/{token}")).status_code == 200


@pytest.mark.parametrize("token", ["made-up", "0" * 64, "%C2%80", "ü"])
async def test_a_link_that_never_was_one_says_what_to_do(browser, token):
    for answer in (await browser.get(f"/admin/enter/{token}"), await browser.post(f"/admin/enter/{token}")):
        assert answer.status_code == 410
        assert "ask whoever sent the link" in answer.text


async def test_every_refusal_of_the_desk_has_its_place():
    import domain.access as rules
    from domain.errors import Refusal
    from web import errors
    from web.admin import forms

    in_place = {"AlreadyAdmin", "LastOwner", "LinkSpent", "OwnAccount", "PasswordNeeded", "PasswordUnfit"}
    in_place |= {"TooManyTries", "WrongCode", "WrongSignIn"}
    kinds = {
        name
        for name, kind in vars(rules).items()
        if isinstance(kind, type) and issubclass(kind, Refusal) and kind is not Refusal
    }
    assert kinds == in_place | {"AdminNotFound", "NotPermitted"}
    assert {rules.AdminNotFound, rules.NotPermitted, access.StalePage} <= set(errors.REFUSALS)
    assert forms.in_words(rules.WrongCode())
