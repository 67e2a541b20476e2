"""The provider's script for the card fields: there, and of the same age as the SDK."""

import httpx
import stripe

from settings import STRIPE_JS
from tests.provider.provider import Provider


async def test_the_script_of_the_card_fields_can_be_loaded(provider: Provider):
    async with httpx.AsyncClient() as browser, browser.stream("GET", provider.script) as answer:
        pass  # the head is enough: it is there
    assert answer.status_code == 200, f"{provider.script} answered {answer.status_code}"
    assert "javascript" in answer.headers["content-type"]


def test_the_script_belongs_to_the_version_that_the_sdk_speaks():
    train = stripe.api_version.partition(".")[2]
    assert f"https://js.stripe.com/{train}/stripe.js" == STRIPE_JS
