"""Covers at the desk and in the shop: who sees which picture, and how it is handed out."""

import io
import re
from encodings import punycode
from uuid import uuid4

import pytest
from PIL import Image

from domain.covers import LARGEST_FILE
from models import database as db
from services import covers
from services.audit import Actor
from tests.makers import buy, make_event
from tests.services.test_covers import photo
from tests.web.admin.test_order import form_in
from web import covers as shown
from web import posters
from web.admin.cover import LARGEST_BODY

MIRA = Actor(uuid4(), "Mira")


def as_file(data: bytes, name: str = "cover.jpg", kind: str = "image/jpeg") -> dict:
    return {"picture": (name, data, kind)}


async def upload(desk, event, picture: bytes, *, data: dict | None = None, **options):
    """On a page that is fresh."""
    data = {"was": await its_cover(), **(data or {})}
    return await desk.post(f"/admin/events/{event.id}/cover", files=as_file(picture), data=data, **options)


async def its_cover() -> str:
    return await db.fetchval("SELECT coalesce(cover, '') FROM event")


def pictures_on(page: str) -> list[str]:
    return re.findall(r'<img class="\w+" src="([^"]+)"', page)


async def image_of(browser, address: str) -> tuple[str, tuple[int, int]]:
    answer = await browser.get(address)
    assert answer.status_code == 200, address
    return answer.headers["content-type"], Image.open(io.BytesIO(answer.content)).size


# ---------------------------------------------------------------- the desk


async def test_a_picture_is_uploaded_with_a_plain_form(signed_in, browser):
    desk, event = await signed_in("manager"), await make_event()
    token = desk.headers.pop("X-CSRF-Token")
    page = await desk.get(f"/admin/events/{event.id}/cover")
    assert 'enctype="multipart/form-data"' in page.text
    assert "Draw another" in page.text
    answer = await upload(desk, event, photo(), data={"csrf": token})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/admin/events/{event.id}/cover")
    page = await desk.get(answer.headers["location"])
    assert "Use the drawn one again" in page.text
    (picture,) = pictures_on(page.text)
    assert await image_of(browser, picture) == ("image/webp", (800, 600))


async def test_with_the_script_the_panel_comes_back_alone(signed_in, script):
    desk, event = await signed_in("owner"), await make_event()
    answer = await upload(desk, event, photo(), headers=script)
    assert answer.status_code == 200
    assert answer.text.strip().startswith("{#") is False
    assert re.match(r'\s*<section class="panel cover-panel" id="cover"', answer.text)
    where = f"/admin/events/{event.id}/cover/removal"
    answer = await desk.post(where, data=form_in(answer.text, where), headers=script)
    assert answer.status_code == 200
    assert "Draw another" in answer.text


@pytest.mark.parametrize("data", [b"", b"<svg/>", bytes(LARGEST_FILE + 1)])
async def test_what_does_not_become_a_cover_is_answered_in_the_form(signed_in, script, data):
    desk, event = await signed_in("owner"), await make_event()
    for headers in ({}, script):
        answer = await upload(desk, event, data, headers=headers)
        assert answer.status_code == 422
        assert "The cover is as it was." in answer.text
        assert 'aria-invalid="true"' in answer.text
    assert (await desk.post(f"/admin/events/{event.id}/cover", data={"picture": "text"})).status_code == 422


async def test_what_is_far_too_large_is_not_even_read(signed_in):
    desk, event = await signed_in("owner"), await make_event()
    answer = await upload(desk, event, bytes(LARGEST_BODY + 1))
    assert answer.status_code == 413
    assert "Nothing was changed" in answer.text


def decode(*_: object) -> None:
    raise AssertionError("300 KB of this take seconds")


@pytest.mark.parametrize(
    ("charset", "text"), [("punycode", b"a-a"), ("utf-7", b"+2AA-"), ("klingon", b"a"), ("utf-8", b"\xff")]
)
async def test_a_form_with_a_file_is_in_utf_8_or_it_is_not_read(signed_in, monkeypatch, charset, text):
    desk, event = await signed_in("owner"), await make_event()
    monkeypatch.setattr(punycode, "punycode_decode", decode)
    form = {"x": (None, text, f"text/plain; charset={charset}"), **as_file(photo())}
    answer = await desk.post(f"/admin/events/{event.id}/cover", files=form)
    assert answer.status_code == 400


async def test_another_is_drawn_and_the_page_takes_its_colour(signed_in, browser):
    desk, event = await signed_in("owner"), await make_event(slug="winter-light")
    before = (await browser.get("/events/winter-light/cover.svg")).content
    for was in (0, 0, 1):
        answer = await desk.post(f"/admin/events/{event.id}/cover/drawing", data={"was": str(was)})
        assert answer.status_code == 303
    page = (await browser.get("/events/winter-light")).text
    assert pictures_on(page)[0] == "/events/winter-light/cover.svg?drawing=2"
    assert f'data-hue="{posters.hue("winter-light", 2)}"' in page
    assert "/events/winter-light/cover.png?drawing=2" in page
    assert (await browser.get("/events/winter-light/cover.svg?drawing=2")).content != before
    for was in ("", "x", "-1", "9" * 30):
        assert (await desk.post(f"/admin/events/{event.id}/cover/drawing", data={"was": was})).status_code == 303


async def test_whoever_may_only_look_changes_no_cover(signed_in):
    desk, event = await signed_in("readonly"), await make_event()
    assert (await upload(desk, event, photo())).status_code == 403
    assert await db.fetchval("SELECT cover FROM event") is None


# ---------------------------------------------------------------- two admins at once


BLUE, RED = (0, 90, 200), (200, 30, 30)


async def test_whoever_was_overtaken_is_shown_theirs_and_destroys_nothing(signed_in, script):
    mira, ana = await signed_in("manager", name="Mira"), await signed_in("owner", name="Ana")
    event = await make_event(timezone="Europe/Vienna")
    where = f"/admin/events/{event.id}/cover"
    page = (await ana.get(where)).text
    assert (await mira.post(where, data=form_in(page, where), files=as_file(photo()))).status_code == 303
    theirs = await its_cover()
    for headers in ({}, script):
        answer = await ana.post(where, data=form_in(page, where), files=as_file(photo(colour=BLUE)), headers=headers)
        assert answer.status_code == 409
        assert re.search(r"Mira uploaded this picture at \d\d:\d\d CES?T", answer.text)
        assert "Yours was not taken: upload it again to replace this one." in answer.text
        assert theirs in pictures_on(answer.text)[0]
    assert await its_cover() == theirs
    again = await ana.post(where, data=form_in(answer.text, where), files=as_file(photo(colour=BLUE)))
    assert (again.status_code, await its_cover() != theirs) == (303, True)


async def test_a_picture_that_somebody_put_there_meanwhile_is_not_removed(signed_in, script):
    mira, ana = await signed_in("manager", name="Mira"), await signed_in("owner", name="Ana")
    event = await make_event()
    where = f"/admin/events/{event.id}/cover"
    await upload(mira, event, photo())
    page = (await ana.get(where)).text
    await upload(mira, event, photo(colour=RED))
    theirs = await its_cover()
    answer = await ana.post(f"{where}/removal", data=form_in(page, f"{where}/removal"), headers=script)
    assert answer.status_code == 409
    assert "Mira uploaded this picture" in answer.text
    assert "It was not removed: decide again." in answer.text
    assert await its_cover() == theirs
    await ana.post(f"{where}/removal", data=form_in(answer.text, f"{where}/removal"))
    assert await its_cover() == ""


async def test_whoever_replaces_a_picture_that_was_removed_meanwhile_is_told(signed_in):
    mira, ana = await signed_in("manager", name="Mira"), await signed_in("owner", name="Ana")
    event = await make_event()
    where = f"/admin/events/{event.id}/cover"
    await upload(mira, event, photo())
    page = (await ana.get(where)).text
    await mira.post(f"{where}/removal", data=form_in(page, f"{where}/removal"))
    answer = await ana.post(where, data=form_in(page, where), files=as_file(photo(colour=RED)))
    assert answer.status_code == 409
    assert "Mira went back to the drawn one" in answer.text
    assert await its_cover() == ""


async def test_ones_own_other_window_is_called_so(signed_in):
    mira, event = await signed_in("manager", name="Mira"), await make_event()
    where = f"/admin/events/{event.id}/cover"
    page = (await mira.get(where)).text
    await upload(mira, event, photo())
    answer = await mira.post(where, data=form_in(page, where), files=as_file(photo(colour=RED)))
    assert (answer.status_code, "You uploaded this picture" in answer.text) == (409, True)


async def test_the_same_picture_twice_is_no_quarrel(signed_in):
    desk, event = await signed_in("manager"), await make_event()
    where = f"/admin/events/{event.id}/cover"
    form = form_in((await desk.get(where)).text, where)
    answers = [await desk.post(where, data=form, files=as_file(photo())) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]


# ---------------------------------------------------------------- the shop


async def test_the_shop_shows_the_uploaded_cover_everywhere(browser, stripe):
    event = await make_event()
    order_id = await buy(event, stripe)
    await covers.upload(event.id, photo(), actor=MIRA)
    name = await db.fetchval("SELECT cover FROM event")
    base = f"/events/{event.slug}/cover/{name}"
    from services import links

    for address in ("/", f"/events/{event.slug}", f"/orders/{links.order_token(order_id)}"):
        page = (await browser.get(address)).text
        assert pictures_on(page)[0] == f"{base}/small.webp", address
        assert f"{base}/large.webp 1600w" in page
    page = (await browser.get(f"/events/{event.slug}")).text
    assert f'property="og:image" content="http://shop.localhost{base}/shared.jpg"' in page
    assert 'property="og:image:type" content="image/jpeg"' in page
    assert f'"image":["http://shop.localhost{base}/shared.jpg"]' in page
    assert await image_of(browser, f"{base}/large.webp") == ("image/webp", (1600, 1200))
    assert await image_of(browser, f"{base}/shared.jpg") == ("image/jpeg", (1200, 630))


async def test_a_picture_is_only_a_picture(browser):
    event = await make_event()
    await covers.upload(event.id, photo() + b"<script>alert(1)</script>", actor=MIRA)
    name = await db.fetchval("SELECT cover FROM event")
    for file in (f"cover/{name}/small.webp", f"cover/{name}/shared.jpg", "cover.svg", "cover.png"):
        answer = await browser.get(f"/events/{event.slug}/{file}")
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-type"].startswith("image/")
        assert b"<script" not in answer.content


async def test_its_address_says_what_it_is_so_it_is_kept_for_ever(browser):
    event = await make_event()
    await covers.upload(event.id, photo(), actor=MIRA)
    first = await db.fetchval("SELECT cover FROM event")
    old = f"/events/{event.slug}/cover/{first}/small.webp"
    assert (await browser.get(old)).headers["cache-control"] == "public, max-age=31536000, immutable"
    await covers.upload(event.id, photo(colour=(0, 90, 200)), was=first, actor=MIRA)
    answer = await browser.get(old)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache"), "an old page shows the new one"
    await covers.remove(event.id, was=await its_cover(), actor=MIRA)
    answer = await browser.get(old)
    assert (answer.status_code, answer.headers["location"]) == (302, f"/events/{event.slug}/cover.svg")


async def test_the_cover_of_a_draft_is_shown_to_the_desk_and_to_nobody_else(signed_in, browser):
    event = await make_event(status="DRAFT")
    await covers.upload(event.id, photo(), actor=MIRA)
    name = await db.fetchval("SELECT cover FROM event")
    hidden = await browser.get(f"/events/{event.slug}/cover/{name}/small.webp")
    nothing = await browser.get(f"/events/nothing-here/cover/{name}/small.webp")
    assert hidden.status_code == nothing.status_code == 302
    assert hidden.headers["location"].replace(event.slug, "") == nothing.headers["location"].replace("nothing-here", "")
    address = f"/admin/events/{event.id}/cover/{name}/small.webp"
    assert (await browser.get(address)).status_code == 303
    desk = await signed_in("door")
    answer = await desk.get(address)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
    assert answer.headers["cache-control"] == "no-store"
    page = (await (await signed_in("owner")).get(f"/admin/events/{event.id}/cover")).text
    assert pictures_on(page) == [address]


async def test_what_was_taken_off_sale_keeps_its_picture_on_the_tickets(browser, stripe):
    event = await make_event()
    await buy(event, stripe)
    await covers.upload(event.id, photo(), actor=MIRA)
    await db.execute("UPDATE event SET status = 'DRAFT'")
    row = await db.fetchrow("SELECT * FROM event")
    assert await image_of(browser, shown.cover_of(row).src) == ("image/webp", (800, 600))


@pytest.mark.parametrize(
    "path",
    ["cover/x/small.gif", "cover/x/large", "cover.svg?drawing=-1", "cover.svg?drawing=1000000", "cover/x/..%2f..%2fx"],
)
async def test_what_is_no_address_of_a_picture_is_not_found(browser, path):
    event = await make_event()
    assert (await browser.get(f"/events/{event.slug}/{path}")).status_code == 404
