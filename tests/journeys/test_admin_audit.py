"""The audit and an event's cover, in a real browser."""

import os
import re
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from domain.access import Role
from models import database as db
from services import admins, audit, covers, events, ticket_types
from services.audit import Actor
from tests.admins import make_admin
from tests.makers import Made, make_event, ticket_type
from tests.services.test_covers import photo

# Where to leave a picture of every page that is looked at, for whoever wants to look too.
PICTURES = os.environ.get("PICTURES")
MIRA, ANA = Actor(uuid4(), "Mira Novak"), Actor(uuid4(), "Ana Kovač")


async def a_busy_day() -> Made:
    """An event that two people worked on."""
    event = await make_event(ticket_type("Standing", price=2400), title="Winter Light", capacity=60, city="Graz")
    start = await db.fetchval("SELECT start_date FROM event WHERE id = $1", event.id)
    await events.set_capacity(event.id, was=60, to=80, actor=MIRA)
    await ticket_types.change(event.id, event.types["Standing"], {"price": (2400, 2800)}, actor=ANA)
    fields = {"city": ("Graz", "Wien"), "summary": ("", "Three hours of slow looking in the warmest room in town.")}
    await events.change(event.id, fields, actor=ANA)
    await events.move(event.id, was=start, to=start + timedelta(days=1), timezone="UTC", actor=MIRA)
    await covers.upload(event.id, photo((400, 300)), actor=MIRA)
    await admins.change_role(MIRA, (await make_admin("manager", name="Jonas Weber")).id, Role.DOOR)
    await audit.write(audit.SYSTEM, "refund found", "refund", uuid4(), after={"reference": "re_3Qx"})
    return event


# ---------------------------------------------------------------- the audit


async def test_the_book_is_searched_while_it_is_typed_and_the_address_says_for_what(visitor, signed_in):
    event = await a_busy_day()
    page = await signed_in("readonly")
    await page.goto(f"/admin/events/{event.id}/details")
    await page.get_by_role("link", name="History").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("History")
    entries = page.locator(".audit__said")
    await expect(entries).to_have_count(5)
    await page.get_by_role("link", name="See everything").click()
    await page.get_by_label("Search the audit").press_sequentially("capacity winter")
    await expect(entries).to_have_count(1)
    await expect(entries).to_have_text(re.compile("Mira Novak set the capacity of Winter Light from 60 to 80"))
    await expect(page).to_have_url(re.compile(r"q=capacity\+winter|q=capacity%20winter"))
    await page.reload()
    await expect(entries).to_have_count(1)
    await page.get_by_label("Search the audit").fill("no such thing")
    await expect(page.get_by_text("Nothing here matches")).to_be_visible()


async def test_the_book_is_read_without_javascript(visitor, signed_in):
    await a_busy_day()
    page = await signed_in("owner", javascript=False)
    await page.goto("/admin/audit")
    await page.get_by_label("What", exact=True).select_option("people")
    await page.get_by_label("Search the audit").fill("jonas")
    await page.get_by_role("button", name="Search").click()
    await expect(page.locator(".audit__said").first).to_have_text(
        re.compile("Mira Novak changed the role of Jonas Weber from Manager to Door")
    )


# ---------------------------------------------------------------- the cover


@pytest.mark.parametrize("javascript", [True, False])
async def test_a_cover_is_uploaded_shown_in_the_shop_and_taken_back(visitor, signed_in, tmp_path: Path, javascript):
    event = await make_event()
    page, shop = await signed_in("manager", javascript=javascript), await visitor()
    await page.goto(f"/admin/events/{event.id}/cover")
    await page.get_by_role("button", name="Draw another").click()
    await expect(page.locator("#cover img")).to_have_attribute("src", re.compile(r"cover\.svg\?drawing=1"))
    (tmp_path / "words.txt").write_text("not a picture")
    await page.get_by_label("A picture of your own").set_input_files(tmp_path / "words.txt")
    await page.get_by_role("button", name="Upload").click()
    await expect(page.locator("#cover-error")).to_contain_text("The cover is as it was.")
    (tmp_path / "stage.jpg").write_bytes(photo())
    await page.get_by_label("A picture of your own").set_input_files(tmp_path / "stage.jpg")
    await page.get_by_role("button", name="Upload").click()
    await expect(page.get_by_role("button", name="Use the drawn one again")).to_be_visible(timeout=30_000)
    await shop.goto(f"/events/{event.slug}")
    picture = shop.locator(".hero img")
    await expect(picture).to_have_attribute("src", re.compile("small.webp"))
    assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") >= 400
    await page.get_by_role("button", name="Use the drawn one again").click()
    await expect(page.locator("#cover img")).to_have_attribute("src", re.compile(r"cover\.svg"))


# ---------------------------------------------------------------- for everybody


@pytest.mark.parametrize("dark", [False, True])
async def test_the_pages_are_whole_for_everybody(visitor, signed_in, dark):
    event = await a_busy_day()
    page = await signed_in("owner", dark=dark)
    for name, address in (
        ("audit", "/admin/audit"),
        ("history", f"/admin/audit?event={event.id}"),
        ("nothing", "/admin/audit?q=nothing-like-it"),
        ("cover", f"/admin/events/{event.id}/cover"),
    ):
        await page.goto(address)
        for width in (1280, 390):
            await page.set_viewport_size({"width": width, "height": 900})
            await _picture(page, f"{name}-{width}-{'dark' if dark else 'light'}")
            found = (await Axe().run(page)).response["violations"]
            assert [(v["id"], [n["target"] for n in v["nodes"]]) for v in found] == [], (name, width)
        await page.set_viewport_size({"width": 320, "height": 700})
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320, name


async def _picture(page: Page, name: str) -> None:
    if PICTURES:
        await page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)
