"""Real PostgreSQL, real Valkey, the real Stripe SDK against the sandbox: started once, shared by every test."""

import asyncio
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from functools import cache
from pathlib import Path
from unittest.mock import patch

import asyncpg
import httpx
import pytest
from xdist.remote import Producer

from sandbox import postgres, redis, state
from sandbox.plan import SANDBOX_PUBLISHABLE_KEY, SANDBOX_SECRET_KEY
from sandbox.processes import answers, free_port, launch, wait_until
from tests import division

ROOT = Path(__file__).parent.parent
SECRET_KEY = "a-secret-key-for-tests-only-and-long-enough"
WEBHOOK_SECRET = "whsec_for_tests_only"
TABLES = (
    "audit_entry, seen, pace, discrepancy, comparison, dispute, outbox, mail_request, ticket, refund, order_item, "
    "orders, refused_notice, payment_notice, payment, reservation, checkout, ticket_type, event_cover, event, "
    "sign_in_attempt, admin_recovery_code, admin_link, admin_session, admin"
)
# In one message. Deleting a few rows takes a tenth of the time of a TRUNCATE.
EMPTY = ";".join(f"DELETE FROM {table}" for table in TABLES.split(", "))


@pytest.fixture(scope="session", autouse=True)
def _one_look_at_the_certificates() -> Iterator[None]:
    """Nobody here speaks TLS, yet each HTTP client would read all authorities of the world, at 20 ms of a core."""
    with patch.object(ssl, "create_default_context", cache(ssl.create_default_context)):
        yield


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    with state.scratch() as folder:
        yield folder


@pytest.fixture(scope="session")
def postgres_url(scratch: Path) -> Iterator[str]:
    """A PostgreSQL of our own with an empty, migrated database."""
    server = postgres.start(scratch, durable=False)
    try:
        os.environ["DATABASE_URL"] = server.url
        migrate(server.url)
        yield server.url
    finally:
        server.stop()


@pytest.fixture(scope="session")
def redis_url(scratch: Path) -> Iterator[str]:
    server = redis.start(scratch)
    try:
        yield server.url
    finally:
        server.stop()


@pytest.fixture(scope="session")
def stripe_url(scratch: Path) -> Iterator[str]:
    """The Stripe sandbox, without webhooks: a test says itself when a notice arrives."""
    with run_stripe_sandbox(scratch / "stripe", webhook_url="") as url:
        yield url


@pytest.fixture(scope="session")
async def pool(postgres_url: str) -> AsyncIterator[None]:
    from models import database
    from services import links, second_factor, throttle, ticket_codes

    links.use_keys((SECRET_KEY,))
    second_factor.use_keys((SECRET_KEY,))
    throttle.use_keys((SECRET_KEY,))
    ticket_codes.use_keys((SECRET_KEY,))
    await database.open_pool(10)
    yield
    await database.close_pool()


@pytest.fixture
async def database(pool: None, caretaker: asyncpg.Connection) -> AsyncIterator[None]:
    """An empty database, and proof afterwards that the test left no invariant broken."""
    from models import invariants

    await caretaker.execute(EMPTY)
    yield
    # One question for all of them: two dozen, after each of thousands of tests, cost more than most of the tests.
    any_broken = " OR ".join(f"EXISTS ({sql})" for sql in invariants.INVARIANTS.values())
    assert not await caretaker.fetchval(f"SELECT {any_broken}"), await invariants.broken()


@pytest.fixture(scope="session")
async def caretaker(postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that no guard refuses anything: guards against deleting are for the living."""
    connection = await asyncpg.connect(
        postgres_url, server_settings={"session_replication_role": "replica", "lock_timeout": "10000"}
    )
    yield connection
    await connection.close()


@pytest.fixture
async def stripe(stripe_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator["StripeSandbox"]:
    """A clean Stripe sandbox behind the real gateway, whose SDK does not sleep before it tries again."""
    from stripe._http_client import HTTPClient

    from services import gateway
    from services.stripe_gateway import StripeGateway

    monkeypatch.setattr(HTTPClient, "INITIAL_DELAY", 0.01)
    async with httpx.AsyncClient(base_url=stripe_url, verify=False) as client:
        sandbox = StripeSandbox(client)
        await sandbox.reset()
        ours = StripeGateway(secret_key=SANDBOX_SECRET_KEY, api_base=stripe_url, webhook_secrets=(WEBHOOK_SECRET,))
        gateway.use(ours)
        yield sandbox
        await ours.close()


class StripeSandbox:
    """What a buyer's browser, a bank and the Dashboard do, by hand."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def reset(self) -> None:
        (await self._client.post("/_sandbox/reset")).raise_for_status()

    async def pay(self, client_secret: str, card: str = "4242424242424242") -> dict:
        """The buyer enters a card and presses Pay. Returns Stripe's answer, an error included."""
        return await self._browser(
            client_secret,
            "confirm",
            {
                "payment_method_data[type]": "card",
                "payment_method_data[card][number]": card,
                "payment_method_data[card][exp_month]": "12",
                "payment_method_data[card][exp_year]": "2040",
                "payment_method_data[card][cvc]": "123",
            },
        )

    async def answer_bank(self, client_secret: str, outcome: str) -> dict:
        """The buyer approves (“success”) or rejects (“fail”) at their bank."""
        return await self._browser(client_secret, "authenticate", {"outcome": outcome})

    async def dashboard(self, reference: str, verb: str, **form: object) -> dict:
        """What a person does by hand at Stripe: capture, cancel, refund, expire_authorisation."""
        answer = await self._client.post(f"/_sandbox/intents/{reference}/{verb}", json=form)
        return answer.raise_for_status().json()

    async def change_amount(self, reference: str, amount: int) -> None:
        """Somebody with our secret key asks for another amount than we did."""
        (
            await self._client.post(
                f"/v1/payment_intents/{reference}", data={"amount": str(amount)}, auth=(SANDBOX_SECRET_KEY, "")
            )
        ).raise_for_status()

    async def state(self) -> dict:
        return (await self._client.get("/_sandbox/state")).json()

    async def fault(self, **switch: object) -> None:
        (await self._client.post("/_sandbox/faults", json=switch)).raise_for_status()

    async def _browser(self, client_secret: str, verb: str, form: dict) -> dict:
        reference = client_secret.split("_secret_")[0]
        answer = await self._client.post(
            f"/v1/payment_intents/{reference}/{verb}",
            data={"key": SANDBOX_PUBLISHABLE_KEY, "client_secret": client_secret, **form},
        )
        return answer.json()


class run_stripe_sandbox:
    """`with run_stripe_sandbox(folder, webhook_url=…) as url:`"""

    def __init__(self, folder: Path, *, webhook_url: str) -> None:
        self.port, self.smtp_port = free_port(), free_port()
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / "sandbox.log"
        self._env = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SANDBOX_PORT": str(self.port),
            "SANDBOX_SMTP_PORT": str(self.smtp_port),
            "SANDBOX_STATE": str(folder),
            "SANDBOX_WEBHOOK_URL": webhook_url,
            "STRIPE_SECRET_KEY": SANDBOX_SECRET_KEY,
            "STRIPE_PUBLISHABLE_KEY": SANDBOX_PUBLISHABLE_KEY,
            "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        }

    def __enter__(self) -> str:
        self.process = launch([sys.executable, "-m", "sandbox.server"], log=self._log, env=self._env)
        wait_until(
            lambda: answers(("127.0.0.1", self.port), "/_sandbox/health"),
            self.process,
            name="the Stripe sandbox",
            log=self._log,
        )
        return f"http://127.0.0.1:{self.port}"

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(10)


def migrate(url: str) -> None:
    """As an operator does it."""
    subprocess.run(
        [sys.executable, "-m", "tasks.commands", "migrate"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DATABASE_URL": url},
        check=True,
        stdout=subprocess.DEVNULL,
    )


async def until(condition, *, patience: float = 10.0) -> None:
    """Wait for a condition instead of sleeping. `condition` may be a plain or an async function."""
    async with asyncio.timeout(patience):
        while True:
            answer = condition()
            if await answer if asyncio.iscoroutine(answer) else answer:
                return
            await asyncio.sleep(0.02)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=division.turn)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> division.FilesAndJourneys:
    return division.FilesAndJourneys(config, log)
