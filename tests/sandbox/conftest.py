import os
import shutil
from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser, Page, async_playwright

from tests.sandbox.running import Sandbox, Shop

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="package")
def _shop() -> Iterator[Shop]:
    shop = Shop()
    yield shop
    shop.close()


@pytest.fixture(scope="package")
def _sandbox(_shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path_factory.mktemp("sandbox"), _shop.url)
    sandbox.start()
    yield sandbox
    sandbox.kill()


@pytest.fixture
def sandbox(_sandbox: Sandbox, _shop: Shop) -> Sandbox:
    """One process for all tests of this folder, emptied before each."""
    _sandbox.post("reset")
    _shop.received.clear()
    _shop.answers.clear()
    return _sandbox


@pytest.fixture
def shop(_shop: Shop) -> Shop:
    return _shop


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    path = os.environ.get("CHROMIUM") or next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        missing = "No Chromium found. Install the system's package: chromium."
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page that fails its test when anything it does is against its policy."""
    page = await browser.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    await page.close()
    assert [text for text in complaints if "status of 40" not in text] == []
