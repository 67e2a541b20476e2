"""Takes the pictures in this folder from an open shop: `.venv/bin/python docs/screenshots/take.py http://127.0.0.1:8000`.

Buys a ticket on the way, in the sandbox, as a person would.
"""

import asyncio
import re
import shutil
import sys
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright, expect

HERE = Path(__file__).parent
EVENT = "/events/glass-and-strings"


async def main(shop: str) -> None:
    async with async_playwright() as playwright:
        path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for width, height in ((1280, 900), (390, 844)):
            for theme in ("light", "dark"):
                await visit(browser, shop, width, height, theme)
        await browser.close()


async def visit(browser: Browser, shop: str, width: int, height: int, theme: str) -> None:
    context = await browser.new_context(
        base_url=shop, viewport={"width": width, "height": height}, color_scheme=theme, reduced_motion="reduce"
    )
    page = await context.new_page()

    async def take(name: str) -> None:
        await scroll_through(page)
        await page.screenshot(path=HERE / f"{name}-{width}-{theme}.png", full_page=True)

    await page.goto("/")
    await take("list")
    await page.goto(EVENT)
    await expect(page.locator("#live-state")).to_have_attribute("data-state", "on")
    await page.get_by_role("button", name="One more General").click()
    await page.get_by_role("button", name="One more General").click()
    await take("event")
    await page.locator("#ticket-form").evaluate("form => form.requestSubmit()")
    await page.wait_for_url(re.compile("/checkouts/"))
    await page.get_by_label("Full name").fill("Ana Kovač")
    await page.get_by_label("Email").fill("ana@example.org")
    await page.get_by_label("Email").blur()
    card = page.frame_locator("iframe[title='Secure payment input frame']")
    await card.get_by_label("Card number").fill("4242 4242 4242 4242")
    await card.get_by_label("Expiry date").fill("12 / 40")
    await card.get_by_label("Security code").fill("123")
    await take("checkout")
    await page.locator("[data-pay-button]").click()
    await page.wait_for_url(re.compile("/orders/"))
    await take("tickets")
    await context.close()


async def scroll_through(page: Page) -> None:
    """Pictures further down load when they come near."""
    await page.evaluate("""async () => {
        for (let y = 0; y < document.body.scrollHeight; y += 500) {
            scrollTo(0, y);
            await new Promise(requestAnimationFrame);
        }
        scrollTo(0, 0);
        await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
    }""")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
