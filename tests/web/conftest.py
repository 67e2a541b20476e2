"""The whole web application in this process and event loop, talked to as a browser does."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from litestar import Litestar

import settings as configuration
from sandbox.plan import SANDBOX_PUBLISHABLE_KEY, SANDBOX_SECRET_KEY
from tests.admins import Desk, make_admin, open_session
from tests.conftest import SECRET_KEY, WEBHOOK_SECRET

SHOP = "http://shop.localhost"


@pytest.fixture(scope="session")
def app(postgres_url: str, redis_url: str, stripe_url: str) -> Litestar:
    from web.app import create_app

    return create_app(
        configuration.load(
            {
                "BASE_URL": SHOP,
                "SECRET_KEY": SECRET_KEY,
                "DATABASE_URL": postgres_url,
                "REDIS_URL": redis_url,
                "STRIPE_SECRET_KEY": SANDBOX_SECRET_KEY,
                "STRIPE_PUBLISHABLE_KEY": SANDBOX_PUBLISHABLE_KEY,
                "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
                "STRIPE_CALLS_PER_SECOND": "1000",
                "STRIPE_API_BASE": stripe_url,
                "STRIPE_JS_URL": f"{stripe_url}/js/stripe.js",
                "SMTP_URL": "smtp://127.0.0.1:1",
            }
        )
    )


@pytest.fixture
async def browser(app: Litestar, database: None, stripe: object) -> AsyncIterator[httpx.AsyncClient]:
    """Without JavaScript, and following no redirect by itself. The pool and the gateway are the tests' own."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=SHOP) as client:
        yield client


@pytest.fixture
async def signed_in(app: Litestar, database: None, stripe: object) -> AsyncIterator[Callable[..., Awaitable[Desk]]]:
    """`desk = await signed_in("manager")`: somebody with that role at the desk. A second factor is shown if they have
    one: `signed_in("owner", protected=True)`."""
    async with AsyncExitStack() as doors:

        async def sign_in(role: str = "owner", **values: Any) -> Desk:
            admin = await make_admin(role, **values)
            desk = Desk(app, SHOP, admin, await open_session(admin))
            return await doors.enter_async_context(desk)

        yield sign_in


@pytest.fixture
def script() -> dict[str, str]:
    """The headers that our own script and htmx send."""
    return {"HX-Request": "true", "Sec-Fetch-Site": "same-origin"}
