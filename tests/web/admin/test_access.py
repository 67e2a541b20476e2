"""The door: the whole matrix of routes and people, made from the routes that there are."""

import re
from uuid import uuid4

import pytest
from litestar import Litestar, get
from litestar.exceptions import ImproperlyConfiguredException

from domain.access import Permission, Role, may
from services import admin_sessions
from tests.admins import Desk, make_admin, open_session
from tests.makers import let_time_pass
from tests.web.conftest import SHOP
from web.admin import access
from web.admin.access import ANY_ADMIN, ENROLLING, FIRST_FACTOR, PUBLIC, Door, safe_next

# What a door lets through, as handlers answer: anything but the way to sign in and the refusal.
SIGN_IN = re.compile(r"/admin/(login|account/second-factor)")


def desk_routes(app: Litestar) -> list[tuple[str, str, Permission | Door]]:
    found = []
    for route in app.routes:
        if route.path == "/admin" or route.path.startswith("/admin/"):
            for handler in access._handlers(route):
                for method in handler.http_methods:
                    found.append((str(method), address_of(route.path), handler.opt["permission"]))
    return sorted(found)


def address_of(path: str) -> str:
    path = re.sub(r"{\w+:uuid}", str(uuid4()), path)
    return re.sub(r"{\w+:\w+}", "made-up", path)


def outcome(answer) -> str:
    if answer.status_code == 401:
        return "sign in"  # what a page asks by itself leads nowhere
    if answer.status_code in (204, 303) and SIGN_IN.match(
        answer.headers.get("location") or answer.headers["hx-redirect"]
    ):
        return "sign in"
    return "refused" if answer.status_code == 403 else "in"


async def test_there_are_routes_to_walk(app):
    assert len(desk_routes(app)) >= 20


async def test_nobody_gets_further_than_the_public_pages(browser, app):
    for method, address, asked in desk_routes(app):
        answer = await browser.request(method, address)
        expected = "in" if asked is PUBLIC else "sign in"
        assert outcome(answer) == expected, (method, address)


async def test_a_made_up_session_is_nobodys(browser, app):
    for cookie in ("made-up", "0" * 64, "", "ü"):
        for method, address, asked in desk_routes(app):
            answer = await browser.request(method, address, headers={"Cookie": f"desk={cookie}".encode()})
            assert outcome(answer) == ("in" if asked is PUBLIC else "sign in"), (method, address)


@pytest.mark.parametrize("role", Role)
async def test_a_role_opens_exactly_its_doors(signed_in, app, role):
    for method, address, asked in desk_routes(app):
        desk = await signed_in(role.value)  # each its own: some of these routes sign out
        answer = await desk.request(method, address)
        allowed = may(role, asked) if isinstance(asked, Permission) else True
        if asked is ANY_ADMIN or asked is ENROLLING or asked is FIRST_FACTOR or asked is PUBLIC:
            assert answer.status_code != 403, (method, address)
        else:
            assert outcome(answer) == ("in" if allowed else "refused"), (method, address)


async def test_halfway_in_opens_the_code_page_and_nothing_behind_it(app, database, stripe):
    admin = await make_admin(protected=True)
    for method, address, asked in desk_routes(app):
        async with Desk(app, SHOP, admin, await open_session(admin, halfway=True)) as desk:
            answer = await desk.request(method, address)
        if asked is PUBLIC or asked is FIRST_FACTOR:
            assert answer.status_code != 403, (method, address)
        else:
            assert outcome(answer) == "sign in", (method, address)
            assert answer.headers.get("location", access.CODE).startswith(access.CODE), (method, address)


async def test_where_a_second_factor_is_wanted_nothing_opens_before_there_is_one(signed_in, app, monkeypatch):
    monkeypatch.setattr(access, "_second_factor_required", True)
    for method, address, asked in desk_routes(app):
        desk = await signed_in("owner")
        answer = await desk.request(method, address)
        if isinstance(asked, Permission) or asked is ANY_ADMIN:
            assert outcome(answer) == "sign in", (method, address)
            assert answer.headers.get("location", access.ENROLMENT).startswith(access.ENROLMENT), (method, address)
    protected = await signed_in("owner", protected=True)
    assert (await protected.get("/admin/account")).status_code == 200


async def test_every_answer_is_kept_by_no_cache(signed_in, app):
    for method, address, _ in desk_routes(app):
        answer = await (await signed_in("owner")).request(method, address)
        assert answer.headers["cache-control"] == "no-store", (method, address)


async def test_every_change_needs_the_token_of_this_session(signed_in, app):
    other = admin_sessions.form_token(await open_session(await make_admin()))
    for method, address, asked in desk_routes(app):
        if method == "GET" or asked is PUBLIC:
            continue
        for token in (None, "", "made-up", "ü", other):
            desk = await signed_in("owner", protected=True)
            desk.headers.pop("X-CSRF-Token")
            sent = {"X-CSRF-Token": token.encode()} if token is not None else {}
            answer = await desk.request(method, address, headers=sent)
            assert answer.status_code == 403, (method, address, token)
            assert "older than your sign-in" in (answer.text or "older than your sign-in"), (method, address)


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
    for method, address, _ in desk_routes(app):
        if method != "GET":
            for site in ("cross-site", "same-site"):
                desk = await signed_in("owner")
                answer = await desk.request(method, address, headers={"Sec-Fetch-Site": site})
                assert answer.status_code == 403, (method, address)
                assert "another site" in (answer.text or "another site"), (method, address)


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
