"""The Stripe.js stand-in in a real Chromium, on a page of another origin with the shop's strict policy."""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.async_api import FrameLocator, Page, expect

from tests.sandbox.running import PUBLISHABLE_KEY, Sandbox

HTML = """<!doctype html><html lang="en"><title>Checkout</title><script src="{api}/js/stripe.js"></script>
<script src="/shop.js" defer></script><form><div id="payment"></div><button>Pay</button></form><p id="said"></p>"""
SHOP = """
const api = Stripe("{key}"), elements = api.elements({{clientSecret: "{secret}", locale: "en-GB",
  appearance: {{variables: {{colorPrimary: "rgb(1, 2, 3)", borderRadius: "5px"}}}}}});
const element = elements.create("payment"), said = document.querySelector("#said");
element.on("ready", () => (said.textContent = "ready")).on("loaderror", e => (said.textContent = e.error.message));
element.mount("#payment");
document.querySelector("form").onsubmit = async (event) => {{
  event.preventDefault();
  said.textContent = "…";
  const {{error, paymentIntent}} = await api.confirmPayment({{elements,
    confirmParams: {{return_url: location.href, payment_method_data: {{billing_details: {{name: "Ana"}}}}}},
    redirect: "if_required"}});
  said.textContent = error ? error.code + ": " + error.message : paymentIntent.status;
}};
"""


class Checkout:
    """A shop's page of its own origin, whose policy allows the sandbox what it allows Stripe, and nothing inline."""

    def __init__(self, api: str) -> None:
        self.api = api
        self.secret = ""
        checkout = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                script = self.path == "/shop.js"
                text = checkout.script() if script else HTML.format(api=api)
                self.send_response(200)
                self.send_header("Content-Type", "text/javascript" if script else "text/html; charset=utf-8")
                self.send_header("Content-Security-Policy", checkout.policy())
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/"

    def script(self) -> str:
        return SHOP.format(key=PUBLISHABLE_KEY, secret=self.secret)

    def policy(self) -> str:
        return (
            f"default-src 'none'; script-src 'self' {self.api}; style-src 'self'; connect-src 'self' {self.api}; "
            f"frame-src {self.api}; img-src 'self' data:; base-uri 'none'; form-action 'self'"
        )


@pytest.fixture
def checkout(sandbox: Sandbox) -> Iterator[Checkout]:
    checkout = Checkout(sandbox.url)
    yield checkout
    checkout.server.shutdown()
    checkout.server.server_close()


async def test_declined_then_rejected_at_the_bank_then_approved(
    sandbox: Sandbox, checkout: Checkout, page: Page
) -> None:
    fields = await open_checkout(sandbox, checkout, page)
    await fill(fields, "4000000000000002")
    await pay(page, "card_declined: Your card was declined.")

    await fill(fields, "4000002500003155")
    await page.get_by_role("button", name="Pay").click()
    bank = page.frame_locator("iframe[title='Test bank: 3-D Secure']")
    await expect(bank.get_by_role("heading")).to_have_text("Approve this payment of €84.00?")
    await expect(bank.get_by_role("button", name="Approve")).to_be_focused()
    for expected in ("Reject", "Approve", "Reject"):
        await page.keyboard.press("Tab")
        await expect(bank.get_by_role("button", name=expected)).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator("#said")).to_contain_text("payment_intent_authentication_failure")
    await expect(page.locator("dialog")).to_have_count(0)

    await fields.get_by_label("Security code").press("Enter")
    await bank.get_by_role("button", name="Approve").click()
    await expect(page.locator("#said")).to_have_text("requires_capture")
    (intent,) = sandbox.state_now()["intents"]
    assert (intent["status"], intent["amount_capturable"]) == ("requires_capture", 8400)


async def test_what_is_missing_is_said_at_the_field(sandbox: Sandbox, checkout: Checkout, page: Page) -> None:
    fields = await open_checkout(sandbox, checkout, page)
    await pay(page, "incomplete_number: Your card number is incomplete.")
    number = fields.get_by_label("Card number")
    await expect(number).to_be_focused()
    await expect(number).to_have_attribute("aria-invalid", "true")
    await expect(fields.locator("#cvc-error")).to_have_text("Your card’s security code is incomplete.")

    await number.press_sequentially("4242424242424241")
    await expect(number).to_have_value("4242 4242 4242 4241")
    await expect(fields.locator("#number-error")).to_have_text("Your card number is invalid.")
    await number.press("Backspace")
    await number.press_sequentially("2")
    await expect(fields.locator("#number-error")).to_be_hidden()

    await page.keyboard.press("Tab")
    expiry = fields.get_by_label("Expiry date")
    await expect(expiry).to_be_focused()
    await expiry.press_sequentially("720")
    await expect(expiry).to_have_value("07 / 20")
    await page.keyboard.press("Tab")
    await expect(fields.locator("#expiry-error")).to_have_text("Your card’s expiry date is in the past.")
    await expect(fields.get_by_label("Security code")).to_be_focused()
    assert not sandbox.state_now()["intents"][0]["last_payment_error"]


async def test_the_fields_take_on_the_shops_look_and_grow_with_their_text(
    sandbox: Sandbox, checkout: Checkout, page: Page
) -> None:
    fields = await open_checkout(sandbox, checkout, page)
    await expect(fields.get_by_label("Card number")).to_have_css("border-radius", "5px")
    frame = page.locator("iframe")
    before = await frame.evaluate("frame => frame.clientHeight")
    await page.get_by_role("button", name="Pay").click()
    await expect(fields.locator("#number-error")).to_be_visible()
    await page.wait_for_function("least => document.querySelector('iframe').clientHeight > least", arg=before)
    assert await fields.locator("html").evaluate("page => page.scrollHeight <= page.clientHeight")


async def test_a_payment_that_is_over_says_so(sandbox: Sandbox, checkout: Checkout, page: Page) -> None:
    intent = await new_intent(sandbox, checkout)
    sandbox.post(f"intents/{intent}/cancel")
    await page.goto(checkout.url)
    await expect(page.locator("#said")).to_have_text("This payment can no longer be paid.")


async def open_checkout(sandbox: Sandbox, checkout: Checkout, page: Page) -> FrameLocator:
    await new_intent(sandbox, checkout)
    await page.goto(checkout.url)
    await expect(page.locator("#said")).to_have_text("ready")
    return page.frame_locator("iframe[title='Secure payment input frame']")


async def new_intent(sandbox: Sandbox, checkout: Checkout) -> str:
    intent = await sandbox.stripe().v1.payment_intents.create_async(
        {"amount": 8400, "currency": "eur", "capture_method": "manual", "allowed_payment_method_types": ["card"]}
    )
    checkout.secret = str(intent.client_secret)
    return intent.id


async def fill(fields: FrameLocator, number: str) -> None:
    await fields.get_by_label("Card number").fill(number)
    await fields.get_by_label("Expiry date").fill("1240")
    await fields.get_by_label("Security code").fill("123")
    await expect(fields.get_by_label("Card number")).to_have_value(re.sub(r"(\d{4})(?=\d)", r"\1 ", number))
    await expect(fields.get_by_label("Expiry date")).to_have_value("12 / 40")


async def pay(page: Page, says: str) -> None:
    await page.get_by_role("button", name="Pay").click()
    await expect(page.locator("#said")).to_have_text(says)
