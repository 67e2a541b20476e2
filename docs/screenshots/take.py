"""Takes the pictures in this folder from an open shop: `.venv/bin/python docs/screenshots/take.py SHOP DESK`.

Both addresses are what `make run` prints; the desk's is a link that works once. Buys a ticket on the way, in the
sandbox, as a person would.
"""

import asyncio
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, StorageState, async_playwright, expect

HERE = Path(__file__).parent
EVENT = "/events/glass-and-strings"


async def main(shop: str, desk: str) -> None:
    async with async_playwright() as playwright:
        path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        organiser = await come_in(browser, desk)
        for size in ((1280, 900), (390, 844)):
            for theme in ("light", "dark"):
                await visit(await Camera.at(browser, shop, size, theme))
                await work(await Camera.at(browser, shop, size, theme, organiser))
        await browser.close()


@dataclass
class Camera:
    page: Page
    suffix: str

    @classmethod
    async def at(
        cls, browser: Browser, shop: str, size: tuple[int, int], theme: Any, who: StorageState | None = None
    ) -> "Camera":
        width, height = size
        context = await browser.new_context(
            base_url=shop,
            viewport={"width": width, "height": height},
            color_scheme=theme,
            reduced_motion="reduce",
            storage_state=who,
        )
        return cls(await context.new_page(), f"{width}-{theme}")

    async def take(self, name: str, *, whole: bool = True) -> None:
        """`whole`: not only the window, which at the desk has its rail at its edge."""
        await scroll_through(self.page)
        await self.page.screenshot(path=HERE / f"{name}-{self.suffix}.png", full_page=whole)


async def come_in(browser: Browser, link: str) -> StorageState:
    page = await browser.new_page()
    await page.goto(link)
    await page.get_by_role("button", name="Open the desk").click()
    await expect(page.get_by_role("navigation", name="Desk")).to_be_visible()
    return await page.context.storage_state()


async def work(camera: Camera) -> None:
    """What an organiser sees on a day of sales."""
    page = camera.page
    await page.goto("/admin/home")
    await camera.take("desk-today", whole=False)
    await page.goto("/admin/events?q=glass")
    await page.get_by_role("link", name="Glass and Strings").click()
    await expect(page.locator("#live-state")).to_have_attribute("data-state", "on")
    await camera.take("desk-live", whole=False)
    await page.get_by_role("link", name="Tickets and capacity").click()
    await expect(page.get_by_role("heading", name="Ticket types", exact=True)).to_be_visible()
    await camera.take("desk-tickets", whole=False)
    await page.goto("/admin/orders")
    await page.locator("#rows a.full").first.click()
    await expect(page.get_by_role("heading", name="History")).to_be_visible()
    await camera.take("desk-order", whole=False)
    await page.context.close()


async def visit(camera: Camera) -> None:
    """What a buyer sees, up to the tickets."""
    page, take = camera.page, camera.take
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
    await page.context.close()


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
    asyncio.run(main(*sys.argv[1:3]))
