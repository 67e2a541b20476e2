"""From a one-time link to a protected account, out, and in again; every page of it in both themes and on a phone."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import parse_qs
from uuid import uuid4

import pytest
from playwright.async_api import Dialog, Error, Page, Route, expect

from domain.access import Role
from models import database as db
from services import admins, audit
from tests.admins import PASSWORD as SITTING
from tests.admins import MadeAdmin, make_admin, open_session
from tests.conftest import until
from tests.journeys.test_every_page import _axe
from tests.makers import make_event
from tests.orders import make_orders

PASSWORD = "eleven quiet harbours"
COME_BACK = "dispatchEvent(new PageTransitionEvent('pageshow', {persisted: true}))"


@dataclass
class Newcomer:
    """Somebody with a fresh link, and later an app that shows their codes."""

    email: str
    link: str
    app: MadeAdmin

    @classmethod
    async def invited(cls, role: Role = Role.OWNER) -> "Newcomer":
        email = f"{role}-{uuid4().hex[:8]}@example.org"
        link = f"/admin/enter/{await admins.by_hand(email=email, role=role)}"
        return cls(email, link, MadeAdmin(await admins.find_by_email(email), email, role.value))

    async def accept(self, page: Page) -> None:
        await page.goto(self.link)
        await page.get_by_label("Your name").fill("Ana Kovač")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Save and come in").click()
        await expect(page.get_by_role("heading", name="Protect your account")).to_be_visible()

    async def scan(self, page: Page) -> None:
        await page.get_by_text("Can’t scan?").click()
        self.app.secret = (await page.locator(".secret").inner_text()).replace(" ", "")

    async def sign_in(self, page: Page, password: str = PASSWORD) -> None:
        await page.get_by_label("Email").fill(self.email)
        await page.get_by_label("Password").fill(password)
        await page.get_by_role("button", name="Sign in").click()


async def test_from_the_link_to_a_protected_account_out_and_in_again(visitor):
    ana, page = await Newcomer.invited(), await visitor()
    await ana.accept(page)
    await ana.scan(page)
    await page.get_by_label("Type the six digits").fill(await ana.app.code())
    await page.get_by_role("button", name="Turn it on").click()
    await expect(page.get_by_role("heading", name="Keep these codes")).to_be_visible()
    await expect(page.locator(".codes li")).to_have_count(10)
    await page.get_by_role("link", name="I have kept them").click()

    await page.get_by_role("button", name="Sign out", exact=True).click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await page.goto("/admin/account")
    await ana.sign_in(page, "not the password")
    await expect(page.get_by_role("alert")).to_contain_text("That didn’t match")
    await ana.sign_in(page)
    await page.get_by_label("Code").fill(await ana.app.code(steps=1))
    await page.get_by_role("button", name="Continue").click()
    await page.wait_for_url("**/admin/account")
    await expect(page.get_by_text("10 recovery codes left")).to_be_visible()


async def press_twice(page: Page, name: str) -> None:
    """The second press comes when the server has answered the first, and before the browser knows: there it hurts."""
    answered, pressed = asyncio.Event(), asyncio.Event()

    async def hold_back(route: Route) -> None:
        answer = await route.fetch(max_redirects=0)
        answered.set()
        await pressed.wait()
        with suppress(Error):  # the browser has given this one up for the other
            await route.fulfill(response=answer)

    address = await page.get_by_role("button", name=name).evaluate("button => button.form.action")
    await page.route(address, hold_back, times=2)
    await page.get_by_role("button", name=name).click(no_wait_after=True)
    await answered.wait()
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
        pressed.set()
    await page.unroute(address)


async def test_whoever_presses_twice_gets_in_and_sees_what_is_shown_once(visitor):
    """The second press would ask again: for a code that is used, and for what stood on the first answer only."""
    ana, page = await Newcomer.invited(), await visitor()
    await ana.accept(page)
    await ana.scan(page)
    await page.get_by_label("Type the six digits").fill(await ana.app.code())
    await press_twice(page, "Turn it on")
    await expect(page.locator(".codes li")).to_have_count(10)
    await page.get_by_role("link", name="I have kept them").click()

    await page.get_by_role("button", name="Sign out", exact=True).click()
    await page.goto("/admin/admins")
    await ana.sign_in(page)
    await page.get_by_label("Code").fill(await ana.app.code(steps=1))
    await press_twice(page, "Continue")
    await expect(page.get_by_role("heading", name="People", exact=True)).to_be_visible()

    await page.get_by_label("Email").fill(email := f"{uuid4().hex}@example.org")
    await press_twice(page, "Make a link")
    await expect(page.get_by_text(f"The link for {email}")).to_be_visible()
    await expect(page.get_by_label("One-time link")).to_have_value(re.compile(r"/admin/enter/[\w-]{43}$"))


async def test_a_form_rests_only_while_it_is_under_way(visitor):
    """An answer that leaves the page where it is stands for one that never comes."""
    page, sent = await visitor(), []

    async def leave_unanswered(route: Route) -> None:
        sent.append(parse_qs(route.request.post_data)["email"][0])
        await route.fulfill(status=204)

    await sit_down(page, await open_session(await make_admin()))
    await page.goto("/admin/admins")
    await page.route("**/admin/admins", leave_unanswered)
    for email, before in (("one@example.org", ""), ("two@example.org", ""), ("three@example.org", COME_BACK)):
        await page.evaluate(before)
        await page.get_by_label("Email").fill(email)
        await page.get_by_label("Email").press("Enter")
    await until(lambda: "three@example.org" in sent)
    assert sent == ["one@example.org", "three@example.org"]


async def test_a_download_can_be_had_twice(visitor):
    page = await visitor()
    await make_orders(await make_event(), 1)
    await sit_down(page, await open_session(await make_admin()))
    await page.goto("/admin/orders")
    for _ in range(2):
        async with page.expect_download() as download:
            await page.get_by_role("button", name="Export orders").click()
        assert (await download.value).suggested_filename.endswith(".csv")


async def test_whoever_stays_for_what_they_typed_can_still_leave_later(visitor):
    page, answers = await visitor(), []
    event = await make_event()
    await sit_down(page, await open_session(await make_admin()))
    await page.goto(f"/admin/events/{event.id}/tickets")
    await page.get_by_role("textbox", name="Total capacity").fill("77")

    async def answer(dialog: Dialog) -> None:
        answers.append(dialog.type)
        await (dialog.dismiss() if len(answers) == 1 else dialog.accept())

    page.on("dialog", answer)
    sign_out = page.get_by_role("button", name="Sign out", exact=True)
    await sign_out.click()
    await until(lambda: answers == ["beforeunload"])
    await expect(sign_out).not_to_have_attribute("aria-busy", "true")
    await sign_out.click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_an_owner_is_made_with_the_password_and_what_was_typed_stays(visitor):
    admin, page = await make_admin(), await visitor(phone=True)
    jonas = await make_admin("manager", name=f"Jonas {uuid4().hex[:8]}")
    await sit_down(page, await open_session(admin))
    await page.goto("/admin/admins")
    name = await db.fetchval("SELECT name FROM admin WHERE id = $1", jonas.id)
    await page.get_by_label(f"Role of {name}", exact=True).select_option("owner")
    await page.get_by_role("button", name=f"Save the role of {name}").click()
    await expect(page.get_by_role("heading", name=f"Make {name} an owner?")).to_be_visible()
    await expect(page.get_by_label("Your password")).to_be_focused()
    await page.get_by_label("Your password").fill("not the password")
    await page.get_by_role("button", name="Make them an owner").click()
    await expect(page.locator("#confirm-password-error")).to_contain_text("That isn’t your password")
    await expect(page.get_by_label("Your password")).to_have_value("")
    await page.get_by_label("Your password").fill(SITTING)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status").first).to_contain_text("The role is changed.")
    await expect(page.get_by_label(f"Role of {name}", exact=True)).to_have_value("owner")


async def test_the_link_of_make_run_is_one_click(visitor):
    token = await admins.entrance(email="owner@foyer.example", name="Mira Novak", role=Role.OWNER)
    page = await visitor(javascript=False)
    await page.goto(f"/admin/enter/{token}")
    await page.get_by_role("button", name="Open the desk").click()
    await page.wait_for_url(re.compile(r"/admin/(?!enter)"))
    await expect(page.get_by_role("navigation", name="Desk")).to_be_visible()


async def test_signed_out_somewhere_else_one_is_asked_to_sign_in_and_comes_back(visitor, shop):
    ana, here, there = await Newcomer.invited(), await visitor(), await visitor(phone=True)
    await ana.accept(here)
    await there.goto("/admin/account")
    await ana.sign_in(there)
    await there.get_by_role("button", name="Sign out everywhere").click()
    await expect(there.get_by_role("heading", name="Sign in")).to_be_visible()
    await here.goto("/admin/admins")
    await ana.sign_in(here)
    await expect(here.get_by_role("heading", name="People", exact=True)).to_be_visible()


# ---------------------------------------------------------------- every page, looked at


async def at_the_sign_in(page: Page) -> None:
    await page.goto("/admin/login")


async def at_a_refused_sign_in(page: Page) -> None:
    await page.goto("/admin/login")
    await page.get_by_label("Email").fill("nobody@example.org")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_be_visible()


async def at_an_invitation_with_mistakes(page: Page) -> None:
    await page.goto((await Newcomer.invited()).link)
    await page.get_by_role("button", name="Save and come in").click()
    await expect(page.get_by_role("alert")).to_be_visible()


async def at_a_link_that_is_used_up(page: Page) -> None:
    await page.goto("/admin/enter/made-up")


async def at_the_code(page: Page) -> None:
    admin = await make_admin(protected=True)
    await sit_down(page, await open_session(admin, halfway=True))
    await page.goto("/admin/login/code")
    await page.get_by_label("Code").fill("000000")
    await page.get_by_role("button", name="Continue").click()
    await expect(page.locator("#code-error")).to_be_visible()


async def at_the_offer_of_a_second_factor(page: Page) -> None:
    await sit_down(page, await open_session(await make_admin()))
    await page.goto("/admin/account/second-factor")
    await page.get_by_text("Can’t scan?").click()


async def at_the_recovery_codes(page: Page) -> None:
    await (ana := await Newcomer.invited()).accept(page)
    await ana.scan(page)
    await page.get_by_label("Type the six digits").fill(await ana.app.code())
    await page.get_by_role("button", name="Turn it on").click()
    await expect(page.locator(".codes li")).to_have_count(10)


async def at_the_account(page: Page) -> None:
    admin = await make_admin("manager", protected=True, name="Wilhelmina Featherstonehaugh-Cholmondeley")
    await open_session(admin)
    await sit_down(page, await open_session(admin))
    await page.goto("/admin/account?done=password")
    await page.get_by_role("button", name="Turn it off").click()
    await expect(page.locator("#confirm-password-error")).to_be_visible()


async def at_the_people(page: Page) -> None:
    await make_admin("door", protected=True, email=f"a.very.long.address.{uuid4().hex}@a-long-host-name.example.org")
    await sit_down(page, await open_session(await make_admin()))
    await page.goto("/admin/admins")
    await page.get_by_label("Email").fill(f"{uuid4().hex}@example.org")
    await page.get_by_role("button", name="Make a link").click()
    await expect(page.get_by_label("One-time link")).to_be_visible()
    await page.locator(".more summary").first.click()


async def at_a_question_with_the_password(page: Page) -> None:
    await sit_down(page, await open_session(await make_admin()))
    await page.goto("/admin/admins")
    await page.get_by_label("Email").fill(f"a.very.long.address.{uuid4().hex}@a-long-host-name.example.org")
    await page.get_by_label("Role", exact=True).select_option("owner")
    await page.get_by_role("button", name="Make a link").click()
    await page.get_by_role("button", name="Make a link").click()
    await expect(page.locator("#confirm-password-error")).to_be_visible()


async def at_a_role_that_somebody_else_changed(page: Page) -> None:
    jonas = await make_admin("manager", name="Jonas Weber")
    await sit_down(page, await open_session(await make_admin()))
    await page.goto("/admin/admins")
    await admins.change_role(audit.SYSTEM, jonas.id, Role.DOOR)
    row = page.locator(f"form[action$='{jonas.id}/role']")
    await row.get_by_role("combobox").select_option("readonly")
    await row.get_by_role("button").click()
    await expect(page.get_by_role("alert")).to_contain_text("Your choice is kept")


async def at_a_page_of_another_role(page: Page) -> None:
    await sit_down(page, await open_session(await make_admin("door")))
    await page.goto("/admin/admins")


async def sit_down(page: Page, session: str) -> None:
    await page.goto("/admin/login")
    await page.context.add_cookies([{"name": "desk", "value": session, "url": page.url}])


PAGES = [
    at_the_sign_in,
    at_a_refused_sign_in,
    at_an_invitation_with_mistakes,
    at_a_link_that_is_used_up,
    at_the_code,
    at_the_offer_of_a_second_factor,
    at_the_recovery_codes,
    at_the_account,
    at_the_people,
    at_a_question_with_the_password,
    at_a_role_that_somebody_else_changed,
    at_a_page_of_another_role,
]


@pytest.mark.parametrize("arrive", PAGES, ids=lambda page: page.__name__)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_axe_finds_nothing_at_the_desk(visitor, dark: bool, arrive: Callable[[Page], Awaitable[None]]):
    page = await visitor(dark=dark)
    await arrive(page)
    assert await _axe(page) == []
    await page.set_viewport_size({"width": 390, "height": 844})
    assert await _axe(page) == []
    await page.set_viewport_size({"width": 320, "height": 700})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
