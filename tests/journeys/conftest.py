"""A running Foyer, as `make run` opens it, and a real browser. One of each for all journeys."""

import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from sandbox.processes import launch, wait_until
from tests.conftest import ROOT, SECRET_KEY

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM_ARGUMENTS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    *(["--no-sandbox"] if os.geteuid() == 0 else []),
]


@dataclass(frozen=True)
class Shop:
    """Where everything of the running shop answers."""

    url: str
    sandbox_url: str
    environment: dict[str, str]


@pytest.fixture(scope="session")
def shop(scratch: Path, postgres_url: str, redis_url: str) -> Iterator[Shop]:
    """`make run` on the tests' own PostgreSQL and Valkey: two web processes, the worker, the Stripe sandbox."""
    state = scratch / "shop"
    state.mkdir()
    wishes = {"FOYER_STATE": str(state), "DATABASE_URL": postgres_url, "REDIS_URL": redis_url, "SECRET_KEY": SECRET_KEY}
    log, note = state / "run.log", state / "running.json"
    process = launch([sys.executable, "-m", "sandbox.run"], log=log, env={**os.environ, **wishes}, cwd=ROOT)
    try:
        wait_until(note.exists, process, name="the shop", log=log, patience=60)
        environment = json.loads(note.read_text())["environment"]
        yield Shop(environment["BASE_URL"], environment["STRIPE_API_BASE"], environment)
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    path = os.environ.get("CHROMIUM") or next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        missing = "No Chromium found. Install the system's package: chromium."
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
async def visitor(shop: Shop, chromium: Browser, pool: None) -> AsyncIterator[Callable[..., Awaitable[Page]]]:
    """`page = await visitor()`: one more person with a browser of their own. `dark`, `phone`, `javascript` say which.

    At the end nothing may have gone wrong on any of their pages: no script error, no blocked resource.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    async def arrive(*, dark: bool = False, phone: bool = False, javascript: bool = True) -> Page:
        context = await chromium.new_context(
            base_url=shop.url,
            color_scheme="dark" if dark else "light",
            viewport={"width": 390, "height": 844} if phone else {"width": 1280, "height": 900},
            java_script_enabled=javascript,
            reduced_motion="reduce",
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = await context.new_page()
        page.on("pageerror", lambda error: complaints.append(f"script error on {page.url}: {error}"))
        page.on("console", lambda message: _listen(message, page, complaints))
        return page

    yield arrive
    for context in contexts:
        await context.close()
    assert complaints == []


@pytest.fixture
async def mailbox(shop: Shop) -> Callable[[str], Awaitable[list[dict]]]:
    """The mails that the shop has sent to an address."""

    async def mails_to(address: str) -> list[dict]:
        async with httpx.AsyncClient(base_url=shop.sandbox_url) as client:
            return (await client.get("/mail.json", params={"to": address})).json()

    return mails_to


def _listen(message, page: Page, complaints: list[str]) -> None:
    # The browser reports every 4xx answer itself; these are answers that journeys provoke and look at.
    if message.type == "error" and "the server responded with a status of 4" not in message.text:
        complaints.append(f"console on {page.url}: {message.text}")
