"""A second process that sells from the same database, and a whole shop of processes that can be killed."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from arq import create_pool
from arq.connections import ArqRedis, RedisSettings

from sandbox.plan import SANDBOX_PUBLISHABLE_KEY, SANDBOX_SECRET_KEY
from sandbox.processes import listen
from services import admin_sessions
from tests.admins import make_admin, open_session
from tests.conftest import ROOT, SECRET_KEY, WEBHOOK_SECRET, StripeSandbox, run_stripe_sandbox
from tests.faults.nursery import Nursery


@pytest.fixture(scope="session")
async def another_process(postgres_url: str) -> AsyncIterator["AnotherProcess"]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.faults.another_process",
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DATABASE_URL": postgres_url},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert await _line(process) == "ready"
    yield AnotherProcess(process)
    process.stdin.close()
    await process.wait()


class AnotherProcess:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def hold(
        self, event_id: UUID, wishes: Iterable[tuple[str, Mapping[UUID, int]]], *, batch: int = 50
    ) -> list[dict]:
        """All of them at once, through its own turnstile. Answers in the same order."""
        asked = [(request_key, {str(t): n for t, n in wish.items()}) for request_key, wish in wishes]
        line = json.dumps({"event": str(event_id), "wishes": asked, "batch": batch})
        self._process.stdin.write(line.encode() + b"\n")
        return await _line(self._process)


async def _line(process: asyncio.subprocess.Process):
    async with asyncio.timeout(20):
        return json.loads(await process.stdout.readline())


@dataclass(frozen=True)
class Building:
    """What stands as long as the tests run: the shop's address, its Stripe, and the nursery of its processes."""

    url: str
    stripe_url: str
    nursery: Nursery


@pytest.fixture(scope="package")
def building(scratch: Path, postgres_url: str, redis_url: str) -> Iterator[Building]:
    """A Stripe sandbox that sends its notices to the shop, whether somebody is there or not."""
    folder = scratch / "killed"
    with listen("127.0.0.1", 0) as door:
        url = f"http://127.0.0.1:{door.getsockname()[1]}"
        sandbox = run_stripe_sandbox(folder / "stripe", webhook_url=f"{url}/stripe/webhook")
        with sandbox as stripe_url:
            env = {
                "FOYER_ENV": "development",
                "BASE_URL": url,
                "SECRET_KEY": SECRET_KEY,
                "DATABASE_URL": postgres_url,
                "REDIS_URL": redis_url,
                "STRIPE_SECRET_KEY": SANDBOX_SECRET_KEY,
                "STRIPE_PUBLISHABLE_KEY": SANDBOX_PUBLISHABLE_KEY,
                "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
                "STRIPE_API_BASE": stripe_url,
                "STRIPE_JS_URL": f"{stripe_url}/js/stripe.js",
                "STRIPE_CALLS_PER_SECOND": "1000",
                "SMTP_URL": f"smtp://127.0.0.1:{sandbox.smtp_port}",
            }
            nursery = Nursery(env, folder=folder, listening=door.fileno())
            yield Building(url, stripe_url, nursery)
            nursery.close()


class Shop:
    """The shop of one test: its processes, its buyers' browsers, its Stripe, and the bell of its workers."""

    def __init__(self, building: Building, stripe: StripeSandbox, redis: ArqRedis, browser: httpx.AsyncClient) -> None:
        self.url, self._nursery = building.url, building.nursery
        self.stripe, self.redis, self.browser = stripe, redis, browser
        self.worker, self.web = self._nursery.worker, self._nursery.web
        self._stripe_url = building.stripe_url

    async def ring(self, *jobs: str) -> None:
        for job in jobs:
            await self.redis.enqueue_job(job)

    async def mails(self) -> list[dict]:
        async with httpx.AsyncClient(base_url=self._stripe_url, verify=False) as client:
            return (await client.get("/mail.json")).json()

    @asynccontextmanager
    async def desk(self) -> AsyncIterator[httpx.AsyncClient]:
        """The browser of somebody who is signed in and may do everything."""
        session = await open_session(await make_admin())
        headers = {"Sec-Fetch-Site": "same-origin", "X-CSRF-Token": admin_sessions.form_token(session)}
        async with httpx.AsyncClient(
            base_url=self.url, cookies={"desk": session}, headers=headers, timeout=20
        ) as browser:
            yield browser

    async def answers(self) -> bool:
        try:
            return (await self.browser.get("/health/live", timeout=1)).status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture
async def shop(
    building: Building, redis_url: str, database: None, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shop]:
    """Empty books everywhere, no process yet, and notices that are only sent when a test says so."""
    from stripe._http_client import HTTPClient

    from services import gateway
    from services.stripe_gateway import StripeGateway

    monkeypatch.setattr(HTTPClient, "INITIAL_DELAY", 0.01)
    redis = await create_pool(RedisSettings.from_dsn(redis_url))
    await redis.flushdb()
    ours = StripeGateway(secret_key=SANDBOX_SECRET_KEY, api_base=building.stripe_url, webhook_secrets=(WEBHOOK_SECRET,))
    gateway.use(ours)
    async with (
        httpx.AsyncClient(base_url=building.stripe_url, verify=False) as client,
        httpx.AsyncClient(base_url=building.url, timeout=20, verify=False) as browser,
    ):
        stripe = StripeSandbox(client)
        await stripe.reset()
        await stripe.fault(op="webhooks", mode="drop")
        yield Shop(building, stripe, redis, browser)
        building.nursery.end_all()
        await stripe.reset()
    await ours.close()
    await redis.aclose()
