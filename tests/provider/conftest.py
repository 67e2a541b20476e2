"""The same scenarios for the sandbox and for Stripe itself: one fixture says where they are played."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import asdict
from functools import partial

import httpx
import pytest
from stripe._http_client import HTTPClient

from sandbox.plan import SANDBOX_PUBLISHABLE_KEY, SANDBOX_SECRET_KEY
from services import gateway, pace, stripe_gateway
from services.stripe_gateway import StripeGateway
from tests.conftest import WEBHOOK_SECRET
from tests.provider.hands import Hands
from tests.provider.provider import Provider
from tests.provider.report import LEFT_BEHIND, LIVE_CHECK, SAID, Report
from tests.provider.wire import WatchedClient, Wire

RUN = uuid.uuid4().hex[:12]


@pytest.fixture(scope="session")
def provider(request: pytest.FixtureRequest) -> Provider:
    """Stripe when the command has brought a key; the sandbox otherwise."""
    live_check = request.config.pluginmanager.get_plugin(LIVE_CHECK)
    if isinstance(live_check, Report):
        return live_check.provider
    url = request.getfixturevalue("stripe_url")
    return Provider(
        name="the sandbox",
        api_base=url,
        secret_key=SANDBOX_SECRET_KEY,
        publishable_key=SANDBOX_PUBLISHABLE_KEY,
        script=f"{url}/js/stripe.js",
        is_stripe=False,
        calls_per_second=0,
        patience=5,
        may_reset=True,
    )


@pytest.fixture
async def hands(
    provider: Provider, database: None, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Hands]:
    """The buyer's hands, with the shop's gateway plugged in to the same provider, and everything tidy afterwards."""
    wire = Wire()
    monkeypatch.setattr(stripe_gateway, "PacedClient", partial(WatchedClient, wire))
    if provider.may_reset:
        monkeypatch.setattr(HTTPClient, "INITIAL_DELAY", 0.01)
        async with httpx.AsyncClient(trust_env=False) as client:
            (await client.post(f"{provider.api_base}/_sandbox/reset")).raise_for_status()
    ours = StripeGateway(secret_key=provider.secret_key, api_base=provider.api_base, webhook_secrets=(WEBHOOK_SECRET,))
    gateway.use(ours)
    pace.use_rate(provider.calls_per_second)
    hands = Hands(provider, wire)
    yield hands
    # As plain facts, which a process of several hands on to the one that reports.
    said = [asdict(answer) for answer in wire.answers if answer.status >= 400 or answer.replayed]
    request.node.user_properties.append((SAID, said))
    request.node.user_properties.append((LEFT_BEHIND, await hands.tidy_up(RUN)))
    pace.use_rate(0)
    await hands.close()
    await ours.close()
