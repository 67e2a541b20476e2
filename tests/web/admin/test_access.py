"""The door: the whole matrix of routes and people, made from the routes that there are."""

import re

import httpx
import pytest
from litestar import Litestar, get
from litestar.exceptions import ImproperlyConfiguredException

from domain.access import Permission, Role
from models import audit
from services import admin_sessions, links
from tests.admins import Desk, make_admin, open_session
from tests.makers import hold, let_time_pass, make_event
from tests.web.admin import list_access
from tests.web.admin.doors import (
    CRASHED,
    HALFWAY,
    IN,
    NOBODY,
    SIGN_IN,
    UNPROTECTED,
    Lasting,
    Things,
    desk_routes,
    expected,
    met,
)
from tests.web.conftest import SHOP
from web import live, own_hold
from web.admin import access
from web.admin.access import PUBLIC, safe_next

# Where a page that somebody may open leads on, instead of being shown: they are in already.
LEADS = {"/admin/login": "/admin", "/admin/login/code": "/admin"}
HOME = {"owner": "/admin/home", "manager": "/admin/home", "readonly": "/admin/home", "door": "/admin/events"}


@pytest.fixture
def brief_streams(hub, monkeypatch) -> None:
    """A stream is opened, says that it is there, and ends: its answer is whole at once."""
    monkeypatch.setattr(live, "LIFETIME_SECONDS", (0.0, 0.0))


async def walk(request, app, who: str) -> None:
    """Every route, and what is met there is what was declared."""
    for route in desk_routes(app):
        answer = await request(route.method, route.address)
        assert met(answer) == expected(route.asked, who), (route, answer.status_code)
        assert answer.headers["cache-control"] == "no-store", route
        assert answer.headers["x-frame-options"] == "DENY", route
        assert answer.headers["x-content-type-options"] == "nosniff", route
        assert (
            "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            or "sandbox" in answer.headers["content-security-policy"]
        ), route


async def test_there_are_routes_to_walk(app):
    assert len(desk_routes(app)) >= 60


async def test_nobody_gets_further_than_the_public_pages(browser, app):
    await walk(browser.request, app, NOBODY)


async def test_a_buyer_with_all_their_links_is_nobody_here(browser, app, database):
    token = links.checkout_token(await hold(await make_event()))
    browser.cookies.set(own_hold.cookie_name(), token, domain="shop.localhost")
    for cookie in ("desk", "__Host-desk", "known"):
        browser.cookies.set(cookie, token, domain="shop.localhost")
    browser.headers["X-CSRF-Token"] = admin_sessions.form_token(token)
    await walk(browser.request, app, NOBODY)


@pytest.mark.parametrize("cookie", ["made-up", "0" * 64, "", "ü"])
async def test_a_made_up_session_is_nobodys(browser, app, cookie):
    async def request(method, address):
        return await browser.request(method, address, headers={"Cookie": f"desk={cookie}".encode()})

    await walk(request, app, NOBODY)


async def test_a_session_that_ended_is_nobodys(signed_in, app):
    desk = await signed_in("owner")
    await admin_sessions.end_all(desk.admin.id)
    await walk(desk.request, app, NOBODY)


@pytest.mark.parametrize("role", Role)
async def test_a_role_opens_exactly_its_doors(signed_in, app, role, brief_streams):
    await walk(Lasting(lambda: signed_in(role.value)).request, app, role.value)


@pytest.mark.parametrize("role", Role)
async def test_behind_its_doors_a_role_finds_what_is_there_and_nothing_behind_the_others(
    signed_in, app, stripe, role, brief_streams
):
    """With an event, an order, a refund that there are: every page that a role may open is shown."""
    things, desk = await Things.made(stripe), Lasting(lambda: signed_in(role.value))
    leads = {**LEADS, "/admin": HOME[role]}
    for route in desk_routes(app):
        if route.changes:
            continue
        answer = await desk.request(route.method, things.address(route))
        if expected(route.asked, role) != IN:
            assert answer.status_code == 403, route
            assert "Winter Light" not in answer.text, route
        elif route.path in leads:
            assert (answer.status_code, answer.headers["location"]) == (303, leads[route.path]), route
        else:
            assert answer.status_code == 200, route


@pytest.mark.parametrize("who", [NOBODY, HALFWAY])
async def test_before_the_door_what_is_there_looks_like_what_is_not(app, browser, stripe, who):
    things = await Things.made(stripe)
    if who == HALFWAY:
        browser.cookies.set("desk", await open_session(await make_admin(protected=True), halfway=True))
    for route in desk_routes(app):
        if not route.changes and expected(route.asked, who) == SIGN_IN:
            answers = [await browser.get(address) for address in (things.address(route), route.address)]
            assert [met(answer) for answer in answers] == [SIGN_IN, SIGN_IN], route
            assert answers[0].text == answers[1].text, route


def test_a_crash_is_no_way_in():
    assert [met(httpx.Response(status)) for status in (200, 404, 500, 503)] == [IN, IN, CRASHED, CRASHED]


async def test_halfway_in_opens_the_code_page_and_nothing_behind_it(app, database, stripe):
    admin = await make_admin(protected=True)

    async def request(method, address):
        async with Desk(app, SHOP, admin, await open_session(admin, halfway=True)) as desk:
            answer = await desk.request(method, address)
        if met(answer) == SIGN_IN and not address.startswith(("/admin/login", "/admin/enter", "/admin/logout")):
            assert answer.headers.get("location", access.CODE).startswith(access.CODE), address
        return answer

    await walk(request, app, HALFWAY)


async def test_where_a_second_factor_is_wanted_nothing_opens_before_there_is_one(signed_in, app, monkeypatch):
    monkeypatch.setattr(access, "_second_factor_required", True)
    desk = Lasting(lambda: signed_in("owner"))
    for route in desk_routes(app):
        answer = await desk.request(route.method, route.address)
        assert met(answer) == expected(route.asked, UNPROTECTED), route
        if met(answer) == SIGN_IN:
            assert answer.headers.get("location", access.ENROLMENT).startswith(access.ENROLMENT), route
    protected = await signed_in("owner", protected=True)
    assert (await protected.get("/admin/account")).status_code == 200


# ---------------------------------------------------------------- forms


# To whoever is in, and has a second factor, these do nothing but lead on: a form that is pressed twice comes back with
# the token of the session before.
ONLY_LEAD_ON = {
    "/admin/login/code": "/admin",
    "/admin/account/second-factor": "/admin/account?done=second-factor-on",
}


async def test_every_change_needs_the_token_of_this_session(signed_in, app):
    other = admin_sessions.form_token(await open_session(await make_admin()))
    desk = await signed_in("owner", protected=True)
    mine = desk.headers.pop("X-CSRF-Token")
    for route in desk_routes(app):
        if not route.changes or route.asked is PUBLIC:
            continue
        for token in (None, "", "made-up", "ü", other, mine[:-1]):
            sent = {"X-CSRF-Token": token.encode()} if token is not None else {}
            answer = await desk.request(route.method, route.address, headers=sent)
            if route.path in ONLY_LEAD_ON:
                assert answer.headers["location"] == ONLY_LEAD_ON[route.path], (route, token)
                continue
            assert answer.status_code == 403, (route, token)
            assert "older than your sign-in" in (answer.text or "older than your sign-in"), (route, token)
    assert (await desk.get("/admin/account")).status_code == 200, "and nothing happened"
    assert await audit.entries(audit.Wanted(), before=None, limit=1) == []


async def test_a_form_with_a_file_needs_the_token_too(signed_in, app):
    """And one that says it is something else than it is."""
    desk = await signed_in("owner")
    token = desk.headers.pop("X-CSRF-Token")
    leads_on = ("/admin/login/code",)  # nobody who is in is asked for anything there
    changing = [r for r in desk_routes(app) if r.changes and r.asked is not PUBLIC and r.path not in leads_on]
    for route in changing:
        for sent in (
            {"files": {"csrf": ("x", token.encode()), "picture": ("x.png", b"x")}},  # the token as a file
            {"data": {"csrf": "made-up"}, "files": {"picture": ("x.png", b"x")}},
            {"json": {"csrf": token}},
            {"content": f"csrf={token}", "headers": {"Content-Type": "text/plain"}},
            {"params": {"csrf": token}},
        ):
            answer = await desk.request(route.method, route.address, **sent)
            assert answer.status_code == 403, (route, sent)
    cover = f"/admin/events/{(await make_event()).id}/cover"
    answer = await desk.post(cover, data={"csrf": token}, files={"picture": ("x", b"x")})
    assert answer.status_code == 422, "let in, and no picture"


async def test_a_form_token_in_no_known_letters_is_none(signed_in):
    desk, event = await signed_in("owner"), await make_event()
    del desk.headers["X-CSRF-Token"]
    for address, status in (("/admin/events", 403), (f"/admin/events/{event.id}/cover", 400)):
        answer = await desk.post(address, files={"csrf": (None, b"+2AA-", "text/plain; charset=utf-7")})
        assert answer.status_code == status, address


async def test_a_form_carries_its_token_as_a_field(signed_in):
    desk = await signed_in("owner")
    token = desk.headers.pop("X-CSRF-Token")
    page = await desk.get("/admin/account")
    assert f'name="csrf" value="{token}"' in page.text
    answer = await desk.post("/admin/account/sessions/end", data={"csrf": token, "session": "x"})
    assert answer.status_code == 303


async def test_every_form_of_the_desk_carries_the_token(signed_in):
    desk = await signed_in("owner", protected=True)
    await make_admin("manager", protected=True)
    for address in ("/admin/account", "/admin/admins"):
        page = (await desk.get(address)).text
        forms = re.findall(r"<form\b.*?</form>", page, re.DOTALL)
        assert [form for form in forms if 'name="csrf"' not in form and 'action="/theme"' not in form] == []
        assert len(forms) > 3


async def test_a_form_from_another_site_is_refused_whatever_it_carries(signed_in, app):
    desk = await signed_in("owner")
    for route in desk_routes(app):
        if route.changes:
            for site in ("cross-site", "same-site"):
                answer = await desk.request(route.method, route.address, headers={"Sec-Fetch-Site": site})
                assert answer.status_code == 403, route
                assert "another site" in (answer.text or "another site"), route
    del desk.headers["Sec-Fetch-Site"]
    answer = await desk.post("/admin/logout", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403, "a browser that says only where it comes from"


def test_the_written_table_of_doors_is_the_one_that_there_is(app):
    assert list_access.FILE.read_text(encoding="utf-8") == list_access.table(app), (
        "run: python -m tests.web.admin.list_access"
    )


# ---------------------------------------------------------------- the start


def test_a_page_of_the_desk_that_asks_for_nothing_stops_the_start():
    @get("/admin/forgotten", sync_to_thread=False)
    def forgotten() -> str:
        return "everything"

    with pytest.raises(ImproperlyConfiguredException, match=r"/admin/forgotten .* declares no permission"):
        access.check_routes(Litestar([forgotten], guards=[access.admit]))


def test_a_page_of_the_desk_outside_of_the_guard_stops_the_start():
    @get("/admin/forgotten", sync_to_thread=False, opt=access.requires(Permission.REFUND))
    def forgotten() -> str:
        return "everything"

    with pytest.raises(ImproperlyConfiguredException, match="stands outside the guard"):
        access.check_routes(Litestar([forgotten]))


def test_what_only_begins_like_the_desk_is_not_the_desk():
    @get("/administrators-of-the-world", sync_to_thread=False)
    def another() -> str:
        return "a band"

    access.check_routes(Litestar([another]))


# ---------------------------------------------------------------- ways


async def test_signing_in_leads_back_to_where_one_was_going(browser):
    answer = await browser.get("/admin/admins?done=role")
    assert answer.headers["location"] == "/admin/login?next=/admin/admins%3Fdone%3Drole"
    assert (await browser.get("/admin")).headers["location"] == "/admin/login"


async def test_whoever_is_signed_out_while_they_type_keeps_what_they_typed_and_is_told(browser, script):
    event = await make_event()
    details = f"/admin/events/{event.id}/details"
    where = {**script, "HX-Current-URL": f"http://shop.localhost{details}"}
    answer = await browser.post(f"{details}/city", data={"city": "Graz"}, headers=where)
    assert answer.status_code == 401
    assert "hx-redirect" not in answer.headers
    assert 'hx-target="#toasts"' in answer.text
    assert "You are signed out, so nothing was saved" in answer.text
    assert f'href="/admin/login?next={details}"' in answer.text


async def test_htmx_navigates_and_comes_back_to_the_page_it_was_on(browser, script):
    script["HX-Current-URL"] = f"{SHOP}/admin/account?x=1"
    answer = await browser.get("/admin/admins", headers=script)
    assert (answer.status_code, answer.headers["hx-redirect"]) == (204, "/admin/login?next=/admin/account%3Fx%3D1")
    script["HX-Current-URL"] = "https://evil.example/admin/../x"
    answer = await browser.get("/admin/admins", headers=script)
    assert answer.headers["hx-redirect"] == "/admin/login"


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example",
        "//evil.example/admin",
        "/\\evil.example",
        "/admin/../events",
        "/admin\\..\\x",
        "/admin/x\r\nSet-Cookie: a=b",
        "/administrators",
        "/events/x",
        "javascript:alert(1)",
        "",
        " /admin",
        None,
        7,
    ],
)
def test_whatever_else_was_asked_leads_to_the_desk(path):
    assert safe_next(path) == "/admin"


@pytest.mark.parametrize("path", ["/admin", "/admin/payments", "/admin/payments?status=open&page=2"])
def test_a_page_of_the_desk_is_a_good_way_back(path):
    assert safe_next(path) == path


async def test_a_role_without_the_permission_hears_so_kindly(signed_in, script):
    desk = await signed_in("door")
    page = await desk.get("/admin/admins")
    assert page.status_code == 403
    assert "Your role doesn’t include this" in page.text
    toast = await desk.get("/admin/admins", headers=script)
    assert toast.text.lstrip().startswith("<hx-partial")


async def test_everybody_finds_a_page_to_begin_with(signed_in):
    for role in Role:
        desk = await signed_in(role.value)
        answer = await desk.get("/admin")
        assert answer.status_code == 303
        assert (await desk.get(answer.headers["location"])).status_code == 200, role


async def test_the_rail_shows_what_is_open_to_the_role(signed_in):
    assert 'href="/admin/admins"' in (await (await signed_in("owner")).get("/admin/account")).text
    assert 'href="/admin/admins"' not in (await (await signed_in("manager")).get("/admin/account")).text


# ---------------------------------------------------------------- sessions


async def test_an_idle_and_an_old_session_lead_to_the_sign_in(signed_in):
    desk = await signed_in("owner")
    await let_time_pass(minutes=31)
    assert (await desk.get("/admin/account")).headers["location"].startswith("/admin/login?next=")
    desk = await signed_in("owner")
    for _ in range(30):
        await let_time_pass(minutes=25)
        answer = await desk.get("/admin/account")
    assert answer.status_code == 303
