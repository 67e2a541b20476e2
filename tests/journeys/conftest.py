"""A running Foyer, as `make run` opens it, and a real browser. One of each for all journeys."""

import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect
from redis.asyncio import Redis

from sandbox import redis
from sandbox.plan import SANDBOX_SECRET_KEY
from sandbox.processes import Server, launch, wait_until
from services import live as announcements
from tests.admins import make_admin, open_session
from tests.conftest import ROOT, SECRET_KEY, StripeSandbox

# The shop, the browser and the tests share two cores.
expect.set_options(timeout=10_000)

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
    keeper: int  # the process that starts the others again when they die

    def signal(self, module: str, number: signal.Signals) -> None:
        """Send a signal to every process of the shop that runs `module`: uvicorn, tasks.worker."""
        for child in _children(self.keeper):
            if module in child.joinpath("cmdline").read_text().split("\0"):
                os.kill(int(child.name), number)


def _children(parent: int) -> list[Path]:
    """In /proc, whose stat reads “pid (name) state parent …”."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int(process.joinpath("stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(process)
    return found


@pytest.fixture(scope="session")
def shop(scratch: Path, postgres_url: str, redis_url: str) -> Iterator[Shop]:
    """`make run` on the tests' own PostgreSQL and Valkey: two web processes, the worker, the Stripe sandbox."""
    state = scratch / "shop"
    state.mkdir()
    wishes = {"FOYER_STATE": str(state), "DATABASE_URL": postgres_url, "REDIS_URL": redis_url, "SECRET_KEY": SECRET_KEY}
    wishes["PORT"] = "0"  # any: beside us others open theirs
    log, note = state / "run.log", state / "running.json"
    process = launch([sys.executable, "-m", "sandbox.run"], log=log, env={**os.environ, **wishes}, cwd=ROOT)
    try:
        wait_until(note.exists, process, name="the shop", log=log, patience=60)
        environment = json.loads(note.read_text())["environment"]
        yield Shop(environment["BASE_URL"], environment["STRIPE_API_BASE"], environment, process.pid)
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(autouse=True)
async def announced(redis_url: str, pool: None) -> AsyncIterator[None]:
    """What is made here is told to the running shop, as its own processes tell each other."""
    client = Redis.from_url(redis_url)
    announcements.connect(client)
    yield
    announcements.connect(None)
    await client.aclose()


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


class Visitors:
    """`page = await visitor()`: one more person with their own browser; `dark`, `phone`, `javascript` say which."""

    def __init__(self, browser: Browser, base_url: str) -> None:
        self._browser, self._base_url = browser, base_url
        self._contexts: list[BrowserContext] = []
        self.complaints: list[str] = []
        # The browser reports every 4xx answer itself; these are answers that journeys provoke and look at.
        self._expected = ["the server responded with a status of 4"]

    async def __call__(self, *, dark: bool = False, phone: bool = False, javascript: bool = True) -> Page:
        context = await self._browser.new_context(
            base_url=self._base_url,
            color_scheme="dark" if dark else "light",
            viewport={"width": 390, "height": 844} if phone else {"width": 1280, "height": 900},
            java_script_enabled=javascript,
            reduced_motion="reduce",
        )
        context.set_default_timeout(10_000)
        self._contexts.append(context)
        page = await context.new_page()
        page.on("pageerror", lambda error: self.complaints.append(f"script error on {page.url}: {error}"))
        page.on("console", lambda message: self._listen(message, page))
        return page

    def expect(self, *words: str) -> None:
        """This journey breaks something on purpose, and the console will say so."""
        self._expected += words

    async def close(self) -> None:
        for context in self._contexts:
            await context.close()

    def _listen(self, message: ConsoleMessage, page: Page) -> None:
        if message.type == "error" and not any(words in message.text for words in self._expected):
            self.complaints.append(f"console on {page.url}: {message.text}")


@pytest.fixture
async def visitor(shop: Shop, chromium: Browser, pool: None) -> AsyncIterator[Visitors]:
    """At the end nothing may have gone wrong on anybody's page: no script error, no blocked resource."""
    visitors = Visitors(chromium, shop.url)
    yield visitors
    await visitors.close()
    assert visitors.complaints == []


@pytest.fixture
async def signed_in(visitor: Visitors, shop: Shop) -> Callable[..., Awaitable[Page]]:
    """`page = await signed_in("manager", phone=True)`: a visitor who is already at the desk with that role."""

    async def sign_in(role: str = "owner", *, protected: bool = False, **visit: bool) -> Page:
        page = await visitor(**visit)
        session = await open_session(await make_admin(role, protected=protected))
        await page.context.add_cookies(
            [{"name": "desk", "value": session, "url": shop.url, "httpOnly": True, "sameSite": "Lax"}]
        )
        return page

    return sign_in


@pytest.fixture
async def mailbox(shop: Shop) -> Callable[[str], Awaitable[list[dict]]]:
    """The mails that the shop has sent to an address."""

    async def mails_to(address: str) -> list[dict]:
        async with httpx.AsyncClient(base_url=shop.sandbox_url) as client:
            return (await client.get("/mail.json", params={"to": address})).json()

    return mails_to


@pytest.fixture
async def provider(shop: Shop, pool: None) -> AsyncIterator[StripeSandbox]:
    """The running shop's own Stripe, by hand; at its service again afterwards. Our services talk to it too."""
    from services import gateway
    from services.stripe_gateway import StripeGateway

    ours = StripeGateway(secret_key=SANDBOX_SECRET_KEY, api_base=shop.sandbox_url, webhook_secrets=("unused",))
    gateway.use(ours)
    async with httpx.AsyncClient(base_url=shop.sandbox_url) as client:
        sandbox = StripeSandbox(client)
        yield sandbox
        await sandbox.fault(op="*", mode="none")
    await ours.close()


class FragileRedis:
    """The Valkey of all tests, which can be killed and must be brought back."""

    def __init__(self, url: str, state: Path) -> None:
        self._url, self._state = url, state
        self._again: Server | None = None

    async def kill(self) -> None:
        async with Redis.from_url(self._url) as client:
            os.kill((await client.info("server"))["process_id"], signal.SIGKILL)

    def bring_back(self) -> None:
        self._again = redis.start(self._state, port=urlsplit(self._url).port)

    def close(self) -> None:
        if self._again:
            self._again.stop()


@pytest.fixture(scope="session")
def fragile_redis(scratch: Path, redis_url: str) -> Iterator[FragileRedis]:
    found = FragileRedis(redis_url, scratch)
    yield found
    found.close()
