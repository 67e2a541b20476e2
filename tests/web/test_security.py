"""What holds for every answer: headers, the origin check, request ids, caching, and pages for whatever goes wrong."""

import json
import re
from dataclasses import replace
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from domain.errors import Refusal
from tests.makers import hold, make_event
from web import answers, assets, errors, site
from web.forms import WishForm
from web.request import MOST_FIELDS
from web.security import Headers

SAFE = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
async def addresses(database: None) -> dict[str, int]:
    """One address of every kind and the status it has."""
    event = await make_event()
    return {
        "/": 200,
        f"/events/{event.slug}": 200,
        f"/events/{event.slug}/availability": 200,
        f"/events/{event.slug}/cover.svg": 200,
        f"/events/{event.slug}/calendar.ics": 200,
        "/events/nothing-here": 404,
        "/nowhere": 404,
        "/checkouts/made-up": 404,
        "/orders/made-up": 404,
        "/theme": 405,
        assets.url("app.css"): 200,
        "/static/nothing.css": 404,
        "/static/..%2f..%2fsettings.py": 404,
        "/health/live": 200,
    }


async def test_every_answer_has_the_security_headers(browser, addresses):
    for address, status in addresses.items():
        answer = await browser.get(address)
        assert answer.status_code == status, address
        assert answer.headers["x-content-type-options"] == "nosniff", address
        assert answer.headers["cross-origin-opener-policy"] in ("same-origin", "same-origin-allow-popups"), address
        assert answer.headers["cross-origin-resource-policy"], address
        assert answer.headers["permissions-policy"], address
        assert answer.headers["referrer-policy"], address
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy, address
        assert "frame-ancestors 'none'" in policy, address
        assert "unsafe" not in policy, address
        assert "set-cookie" not in answer.headers, f"{address} sets a cookie that nobody asked for"


async def test_no_page_has_a_style_or_a_script_of_its_own(browser, addresses):
    for address in addresses:
        text = (await browser.get(address)).text
        for tag in re.findall(r"<script[^>]*>", text):
            assert "src=" in tag or 'type="application/ld+json"' in tag, address
        assert "<style" not in text, address
        assert not re.search(r"<[^>]+\s(style|on\w+)=", text), address
        assert "hx-on" not in text, address


async def test_head_is_get_without_the_body(browser, addresses):
    for address, status in addresses.items():
        answer = await browser.head(address)
        assert answer.status_code == status
        assert answer.content == b""
        assert "content-security-policy" in answer.headers


def here(**changes: object) -> site.Site:
    shop = site.Site("https://shop.example", True, False, "https://js.stripe.com/dahlia/stripe.js", "pk_live_x")
    return replace(shop, **changes)


def test_https_promises_to_stay_https():
    assert "max-age=" in Headers(here()).of({})["Strict-Transport-Security"]
    assert "Strict-Transport-Security" not in Headers(here(secure=False)).of({})


def test_the_real_stripe_gets_what_it_needs_on_the_paying_page_only():
    headers = Headers(here())
    policy = headers.of({"payment": True})["Content-Security-Policy"]
    assert "script-src 'self' https://js.stripe.com https://*.js.stripe.com;" in policy
    assert "frame-src https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com;" in policy
    assert "connect-src 'self' https://api.stripe.com;" in policy
    assert "stripe" not in headers.of({})["Content-Security-Policy"]


def test_pages_behind_a_secret_link_are_kept_by_nobody_and_tell_nobody():
    headers = Headers(here()).of({"personal": True})
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://shop.localhost"}, False),
        ({"Origin": "http://shop.localhost"}, True),
        ({"Origin": "http://evil.localhost"}, False),
        ({"Origin": "null"}, False),
        ({}, True),
    ],
)
async def test_a_form_from_another_site_is_refused(browser, headers, passes):
    event = await make_event()
    for address in ("/theme", f"/events/{event.slug}/checkouts", "/checkouts/x/release", "/checkouts/x/payment"):
        answer = await browser.post(address, headers=headers)
        assert (answer.status_code != 403) is passes, address


async def test_a_request_keeps_the_id_it_came_with_if_it_looks_like_one(browser):
    answer = await browser.get("/health/live", headers={"X-Request-ID": "abc-123_DEF"})
    assert answer.headers["x-request-id"] == "abc-123_DEF"
    for odd in ("short", "with space in it", "x" * 65, "<script>alert(1)"):
        own = (await browser.get("/health/live", headers={"X-Request-ID": odd})).headers["x-request-id"]
        assert re.fullmatch(r"[0-9a-f]{16}", own)


async def test_the_log_names_the_kind_of_page_and_never_a_secret_link(browser):
    with capture_logs() as lines:
        await browser.get("/checkouts/a-secret-token")
        await browser.get("/orders/another-secret/and-more")
    said = json.dumps(lines, default=str)
    assert [line["path"] for line in lines if line["event"] == "request"] == ["/checkouts/{token}", "(none)"]
    assert "secret" not in said


async def test_a_hashed_file_may_be_kept_for_ever_and_a_plain_one_is_asked_for(browser):
    lasting = await browser.get(assets.url("app.css"), headers={"Accept-Encoding": "gzip"})
    assert "immutable" in lasting.headers["cache-control"]
    assert lasting.headers["content-encoding"] == "gzip"
    plain = await browser.get("/static/app.css")
    assert plain.headers["cache-control"] == "public, no-cache"
    again = await browser.get("/static/app.css", headers={"If-None-Match": plain.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""


def test_the_style_sheet_names_its_fonts_by_their_lasting_names():
    css = assets._assets["app.css"].body.decode()
    assert assets.url("fonts/instrument-sans-latin.woff2") in css
    assert 'url("fonts/' not in css


async def test_every_file_that_a_page_names_is_there(browser, addresses):
    for address in addresses:
        for name in set(re.findall(r'(?:href|src)="(/static/[^"#]+)', (await browser.get(address)).text)):
            assert (await browser.get(name)).status_code == 200, name


async def test_no_link_on_a_page_leads_nowhere(browser, addresses):
    for address in addresses:
        for link in set(re.findall(r'<a [^>]*href="(/[^"#]*|#)"', (await browser.get(address)).text)):
            assert (await browser.get(link)).status_code == 200, f"{link} on {address}"


# Whatever goes wrong


@pytest.mark.parametrize("address", ["/nowhere", "/events/nothing-here", "/checkouts/made-up", "/orders/made-up"])
async def test_what_is_not_there_is_said_in_the_shops_own_design(browser, address):
    answer = await browser.get(address)
    assert answer.status_code == 404
    assert "We can’t find" in answer.text
    assert 'href="/"' in answer.text
    assert answer.headers["cache-control"] == "no-store"


async def test_htmx_gets_a_toast_that_leaves_the_page_alone(browser, script):
    answer = await browser.get("/events/nothing-here", headers=script)
    assert answer.status_code == 404
    assert answer.text.lstrip().startswith('<hx-partial hx-target="#toasts"')
    assert "<html" not in answer.text


async def test_what_the_page_asks_by_itself_fails_without_a_word(browser, script):
    for address in ("/events/nothing-here/availability", "/events/nothing-here/live"):
        answer = await browser.get(address, headers=script)
        assert answer.status_code == 404
        assert answer.text == ""


async def test_more_than_any_form_needs_is_refused(browser):
    event = await make_event()
    answer = await browser.post(f"/events/{event.slug}/checkouts", data={"x": "y" * 200_000})
    assert answer.status_code == 413
    assert "more" in answer.text or "larger" in answer.text


UNREADABLE = {
    "no UTF-8": b"email=%FF",
    "half a letter": b"email=%C3",
    "a lone surrogate": b"email=%ED%A0%80",
    "no ASCII": b"email=\xff",
    "too many fields": b"&".join(b"qty-%d=1" % n for n in range(MOST_FIELDS + 1)),
}


@pytest.mark.parametrize("why", UNREADABLE)
@pytest.mark.parametrize("door", ["/admin/login", "/events/winter-light/checkouts"])
async def test_what_no_browser_sends_is_not_understood(browser, door, why):
    await make_event(slug="winter-light")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await browser.post(door, content=UNREADABLE[why], headers=headers)
    assert answer.status_code == 400
    assert "We couldn’t read that" in answer.text


@pytest.mark.parametrize(
    ("charset", "body"), [("utf-8", b"x"), ("utf-8", b"\xff"), ("klingon", b"a"), ("utf-7", b"+2AA-")]
)
@pytest.mark.parametrize("door", ["/admin/login", "/events/winter-light/checkouts"])
async def test_a_form_with_a_file_is_none_where_nobody_takes_files(browser, door, charset, body):
    await make_event(slug="winter-light")
    part = (None, body, f"text/plain; charset={charset}")
    answer = await browser.post(door, files={"email": part, "password": part, "request_key": part})
    assert answer.status_code == 400


async def test_every_letter_comes_in_as_it_was_typed_but_nul(app, browser, monkeypatch):
    seen = []
    monkeypatch.setattr("web.forms.read_wish", lambda form: seen.append(form.dict()) or WishForm("x" * 16))
    event = await make_event()
    await browser.post(f"/events/{event.slug}/checkouts", data={"a\0": ["1 +&=", "", "ž字🎪\0"], "b": ""})
    assert seen == [{"a": ["1 +&=", "", "ž字🎪"], "b": [""]}]


async def test_no_address_has_a_control_character_in_it(app, browser):
    paths = [route.path for route in app.routes if ":str}" in route.path]
    assert "/events/{slug:str}/cover.png" in paths
    for path in paths:
        for odd in ("%00", "%0d%0aSet-Cookie:%20a=b"):
            address = re.sub(r"{\w+:str}", odd, re.sub(r"{\w+:uuid}", str(uuid4()), path))
            for method in ("GET", "POST"):
                answer = await browser.request(method, address)
                assert answer.status_code in (404, 405), (method, address)


@pytest.mark.parametrize(
    ("failure", "status", "words"),
    [
        (RuntimeError("secret detail"), 500, "our fault"),
        (ConnectionRefusedError("secret detail"), 503, "can’t reach our own records"),
        (TimeoutError("secret detail"), 503, "can’t reach our own records"),
    ],
)
async def test_a_failure_is_ours_and_its_details_stay_in_the_log(browser, monkeypatch, failure, status, words):
    async def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr("models.programme.upcoming", fail)
    with capture_logs() as lines:
        answer = await browser.get("/")
    assert answer.status_code == status
    assert words in answer.text
    assert "secret detail" not in answer.text
    assert any("secret detail" in repr(line) for line in lines)


def test_every_refusal_has_its_place():
    """In the table, in the ticket form, or answered by the one controller that can cause it."""
    of_the_desk = {
        "CapacityTooSmall",
        "AllocationsExceedCapacity",
        "NotPublishable",
        "Overtaken",
        "OtherTerms",
        "EndBeforeStart",
        "CurrencyInUse",
        "PricesTyped",
        "EventInUse",
        "TicketTypeInUse",
        "LastTypeOnSale",
        "NothingToTakeBack",
        "NoSeatFree",
    }
    of_refunds = {"NothingToRefund", "RefundTooLarge", "TicketsNotRefundable", "OrderNotComplete"}
    answered_in_place = {"RequestKeyReused", "AmountNotPayable", "InLine", *of_refunds}
    placed = {kind.__name__ for kind in (*errors.REFUSALS, *answers.STATUS) if kind.__module__ == "domain.errors"}
    kinds = {kind.__name__ for kind in Refusal.__subclasses__() if kind.__module__ == "domain.errors"}
    assert kinds == placed | of_the_desk | answered_in_place


async def test_the_theme_is_switched_without_javascript_and_only_ever_leads_home(browser):
    answer = await browser.post("/theme", headers={**SAFE, "Referer": "http://shop.localhost/events/x?y=1"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/events/x?y=1"
    assert "theme=dark" in answer.headers["set-cookie"]
    for elsewhere in ("http://evil.example/", "//evil.example", "http://shop.localhost//evil.example", ""):
        answer = await browser.post("/theme", headers={**SAFE, "Referer": elsewhere})
        assert answer.headers["location"] == "/"
    page = await browser.get("/", headers={"Cookie": "theme=dark"})
    assert '<html lang="en" data-theme="dark">' in page.text
    assert "data-theme=" not in (await browser.get("/", headers={"Cookie": 'theme="><script>'})).text.split("<head>")[0]


async def test_the_shop_is_ready_without_redis_and_not_without_the_database(browser, monkeypatch):
    async def fail() -> None:
        raise OSError

    async def answer() -> None: ...

    monkeypatch.setattr("web.health._ask_redis", answer)
    assert (await browser.get("/health/ready")).json()["status"] == "ok"
    monkeypatch.setattr("web.health._ask_redis", fail)
    ready = await browser.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    monkeypatch.setattr("web.health._ask_database", fail)
    assert (await browser.get("/health/ready")).status_code == 503


async def test_the_page_with_the_visitors_hold_is_theirs_alone(browser):
    event = await make_event()
    await hold(event)
    assert "Cookie" in (await browser.get(f"/events/{event.slug}")).headers["vary"]


async def test_the_theme_switch_leads_nowhere_else(browser):
    for referer in ("http://[", "http://shop.localhost/\\evil.example", "http://shop.localhost//evil.example", "x"):
        answer = await browser.post("/theme", headers={**SAFE, "Referer": referer})
        assert (answer.status_code, answer.headers["location"]) == (303, "/"), referer


async def test_the_address_of_a_form_that_is_opened_by_hand_leads_to_its_page(browser):
    event = await make_event()
    answer = await browser.get(f"/events/{event.slug}/checkouts")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/events/{event.slug}")
