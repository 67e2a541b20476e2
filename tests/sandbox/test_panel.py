"""The panel: what a person presses is what the stand-in does, with a keyboard, on a phone, in the dark."""

import re

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from tests.sandbox.paying import authorised, charge_of, create, paid, refusal_of
from tests.sandbox.running import Sandbox, Shop, eventually


async def test_a_switch_says_what_it_did_and_is_shown_until_it_is_used_up(sandbox: Sandbox, page: Page) -> None:
    intent = await authorised(sandbox)
    await page.goto(sandbox.url)
    await expect(page.get_by_text("Everything is normal.")).to_be_visible()
    await press(page, "Lose the answer to the next capture", says="Set: Lose the answer to the next capture.")
    await expect(page.get_by_text("payment_intents.capture: done, but the answer is lost, 2 times")).to_be_visible()

    for _ in range(2):
        lost = await refusal_of(
            sandbox.stripe().v1.payment_intents.capture_async(intent.id, {}, {"idempotency_key": "one capture"})
        )
        assert lost.http_status is None, "the connection was cut"
    await page.get_by_role("link", name="Look again").click()
    await expect(page.get_by_text("Everything is normal.")).to_be_visible()
    await expect(page.get_by_role("status")).to_have_count(0)
    await expect(page.get_by_role("listitem").get_by_text("succeeded")).to_be_visible()


async def test_everything_goes_back_to_normal_at_one_press(sandbox: Sandbox, shop: Shop, page: Page) -> None:
    await page.goto(sandbox.url)
    await press(page, "Hold", says="Notices are held back.")
    await press(page, "At most five calls a second", says="Set: At most five calls a second.")
    await create(sandbox)
    await press(page, "Stripe is down until I say so", says="Set: Stripe is down until I say so.")
    await press(page, "Everything back to normal", says="Everything is back to normal. 1 notice was sent.")
    state = sandbox.state_now()
    assert (state["faults"], state["rate"]["limits"], state["webhooks"]["mode"]) == ([], [], "deliver")
    assert shop.types() == ["payment_intent.created"]


async def test_any_call_can_be_chosen(sandbox: Sandbox, page: Page) -> None:
    await page.goto(sandbox.url)
    await page.get_by_text("Choose the call and what it sees").click()
    await page.get_by_role("combobox", name="Call", exact=True).select_option("refunds.create")
    await page.get_by_role("combobox", name="What it sees").select_option("500, nothing done")
    await page.get_by_label("Times").fill("")
    await press(page, "Set", says="Set: refunds.create, 500, nothing done.")
    (fault,) = sandbox.state_now()["faults"]
    assert (fault["op"], fault["mode"], fault["times"]) == ("refunds.create", "500_before", None)


async def test_a_payment_offers_the_verbs_that_apply_and_no_others(sandbox: Sandbox, page: Page) -> None:
    await create(sandbox)
    await page.goto(sandbox.url)
    assert await verbs(page) == ["Cancel"]
    await press(page, "Cancel", says="Cancelled by hand.")
    assert await verbs(page) == []

    sandbox.post("reset")
    await authorised(sandbox)
    await page.goto(sandbox.url)
    assert await verbs(page) == ["Capture", "Cancel", "Authorisation dies"]
    await press(page, "Capture", says="Captured by hand.")
    assert await verbs(page) == ["Refund all", "Buyer disputes it", "Refund part"]
    await press(page, "Buyer disputes it", says="The buyer has disputed the payment.")
    assert await verbs(page) == ["Shop wins", "Shop loses"]
    await press(page, "Shop wins", says="The dispute is won.")
    assert await verbs(page) == ["Refund all", "Buyer disputes it", "Refund part"]
    await press(page, "Refund all", says="Refunded by hand.")
    assert await verbs(page) == ["Buyer disputes it", "Fails"]
    await press(page, "Fails", says="The refund has failed; its amount can be refunded again.")
    assert await verbs(page) == ["Refund all", "Buyer disputes it", "Refund part"]


async def test_a_part_is_refunded_and_too_much_is_refused_in_words(sandbox: Sandbox, page: Page) -> None:
    intent = await paid(sandbox)
    await page.goto(sandbox.url)
    await page.get_by_label("Part of 84.00 EUR").fill("12,50")
    await press(page, "Refund part", says="Refunded by hand.")
    assert (await charge_of(sandbox, intent)).amount_refunded == 1250
    await page.get_by_label("Part of 71.50 EUR").fill("71.51")
    await press(page, "Refund part", says="Not done. Refund amount (7151) is greater than unrefunded amount")
    await page.get_by_label("Part of 71.50 EUR").fill("a lot")
    await press(page, "Refund part", says="Not done. “a lot” is not an amount in EUR.")
    assert (await charge_of(sandbox, intent)).amount_refunded == 1250


async def test_the_panel_works_by_keyboard(sandbox: Sandbox, page: Page) -> None:
    await page.goto(sandbox.url)
    button = page.get_by_role("button", name="Cut the next call")
    for _ in range(30):
        await page.keyboard.press("Tab")
        if await button.evaluate("it => it === document.activeElement"):
            break
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_be_focused()
    assert sandbox.state_now()["faults"][0]["mode"] == "drop_before"


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(
    sandbox: Sandbox, browser: Browser, width: int, theme: str
) -> None:
    await paid(sandbox, card="pm_card_createDispute")
    await authorised(sandbox)
    refunded = await paid(sandbox, card="pm_card_pendingRefund")
    sandbox.post(f"intents/{refunded.id}/refund", amount=100)
    sandbox.post("faults", op="*", mode="429", times=3)
    sandbox.post("faults", op="webhooks", mode="drop")
    page = await browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)  # type: ignore[arg-type]
    await page.goto(sandbox.url)
    await press(page, "Duplicate", says="Every notice is sent twice.")
    await page.get_by_text("Choose the call and what it sees").click()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    found = await Axe().run(page)
    assert [(violation["id"], violation["help"]) for violation in found.response["violations"]] == []
    await page.close()


def test_the_pages_policy_lets_nothing_in_and_nobody_frame_it(sandbox: Sandbox) -> None:
    answer = sandbox.http.get(sandbox.url)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script" not in policy
    assert "<script" not in answer.text


def test_another_site_cannot_press_the_buttons(sandbox: Sandbox) -> None:
    for path in ("preset", "fault", "notices", "normal", "intents/pi_1/capture"):
        for origin in ("https://elsewhere.example", "null"):
            answer = sandbox.http.post(f"{sandbox.url}/panel/{path}", headers={"Origin": origin})
            assert answer.status_code == 403, path


def test_a_button_that_does_not_exist_is_not_found(sandbox: Sandbox) -> None:
    for path in ("preset", "intents/pi_1/explode", "events/evt_1/resend", "payouts/po_1/pay"):
        assert sandbox.http.post(f"{sandbox.url}/panel/{path}").status_code == 404
    said = sandbox.http.post(f"{sandbox.url}/panel/intents/pi_1/capture", follow_redirects=True)
    assert "Not done. No such payment_intent" in said.text


def test_held_notices_are_released_newest_first(sandbox: Sandbox, shop: Shop) -> None:
    panel = f"{sandbox.url}/panel/notices"
    sandbox.http.post(panel, data={"mode": "hold"})
    sandbox.http.post(f"{sandbox.url}/v1/payment_intents", data=PAID, auth=("sk_test_sandbox_tests", ""))
    assert "held back" in sandbox.http.get(sandbox.url).text
    sandbox.http.post(panel, data={"mode": "reverse"})
    eventually(lambda: len(shop.received) == 3, "the three notices")
    assert shop.types() == ["payment_intent.succeeded", "charge.succeeded", "payment_intent.created"]


PAID = {"amount": "500", "currency": "eur", "confirm": "true", "payment_method": "pm_card_visa"}


async def press(page: Page, button: str, *, says: str) -> None:
    """The buttons that fail Stripe say below their name what they do."""
    await page.get_by_role("button", name=re.compile(f"^{button}( |$)")).first.click()
    await expect(page.get_by_role("status")).to_contain_text(says)


async def verbs(page: Page) -> list[str]:
    return await page.locator(".payments button").all_inner_texts()
