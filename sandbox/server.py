"""The sandbox process: Stripe's stand-in, its Stripe.js and a mail catcher, on loopback only.

`python -m sandbox.server` reads SANDBOX_PORT, SANDBOX_SMTP_PORT, SANDBOX_STATE, SANDBOX_WEBHOOK_URL (optional),
STRIPE_SECRET_KEY, STRIPE_PUBLISHABLE_KEY and STRIPE_WEBHOOK_SECRET (the first of a comma-separated list signs).
"""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from litestar import Litestar
from litestar.di import Provide
from litestar.types import ASGIApp, Receive, Scope, Send

from sandbox import pages
from sandbox.mail import MAIL_PAGES, Mailbox, smtp_session
from sandbox.stripe import api, control
from sandbox.stripe import pages as stripe_pages
from sandbox.stripe.machine import Machine
from sandbox.stripe.panel import PANEL

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Setup:
    port: int
    smtp_port: int
    state: Path
    secret_key: str
    publishable_key: str
    webhook_url: str | None
    webhook_secret: str


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="sandbox: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("mail.log").setLevel(logging.WARNING)
    setup = read_setup(os.environ)
    uvicorn.run(
        create_app(setup),
        host=HOST,
        port=setup.port,
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=1,
    )


def read_setup(env: Mapping[str, str]) -> Setup:
    missing = [
        name
        for name in (
            "SANDBOX_PORT",
            "SANDBOX_SMTP_PORT",
            "SANDBOX_STATE",
            "STRIPE_SECRET_KEY",
            "STRIPE_PUBLISHABLE_KEY",
        )
        if not env.get(name)
    ]
    if missing:
        sys.exit(f"The sandbox needs {', '.join(missing)}; `make run` sets them.")
    if "_live_" in env["STRIPE_SECRET_KEY"] + env["STRIPE_PUBLISHABLE_KEY"]:
        sys.exit("The sandbox takes test keys only. A live key belongs to Stripe, not here.")
    secret = env.get("STRIPE_WEBHOOK_SECRET", "").split(",")[0].strip()
    url = env.get("SANDBOX_WEBHOOK_URL") or None
    if url and not secret:
        sys.exit("SANDBOX_WEBHOOK_URL is set, but there is no STRIPE_WEBHOOK_SECRET to sign with.")
    return Setup(
        port=int(env["SANDBOX_PORT"]),
        smtp_port=int(env["SANDBOX_SMTP_PORT"]),
        state=Path(env["SANDBOX_STATE"]),
        secret_key=env["STRIPE_SECRET_KEY"],
        publishable_key=env["STRIPE_PUBLISHABLE_KEY"],
        webhook_url=url,
        webhook_secret=secret,
    )


def create_app(setup: Setup) -> ASGIApp:
    machine = Machine(
        setup.state,
        secret_key=setup.secret_key,
        publishable_key=setup.publishable_key,
        webhook_url=setup.webhook_url,
        webhook_secret=setup.webhook_secret,
    )
    mailbox = Mailbox(setup.state / "mail")

    @asynccontextmanager
    async def running(_: Litestar) -> AsyncIterator[None]:
        smtp = await asyncio.get_running_loop().create_server(lambda: smtp_session(mailbox), HOST, setup.smtp_port)
        courier = asyncio.create_task(machine.courier.run())
        try:
            yield
        finally:
            smtp.close()
            courier.cancel()
            with suppress(asyncio.CancelledError):
                await courier
            machine.store.close()

    _leave_pydantic_out()
    app = Litestar(
        route_handlers=[
            api.answer,
            *control.CONTROLS,
            *MAIL_PAGES,
            *PANEL,
            stripe_pages.script,
            pages.stylesheet,
        ],
        dependencies={
            "machine": Provide(lambda: machine, sync_to_thread=False),
            "mailbox": Provide(lambda: mailbox, sync_to_thread=False),
        },
        lifespan=[running],
        openapi_config=None,
        logging_config=None,
    )
    return _with_scissors(app)


def _leave_pydantic_out() -> None:
    """Litestar loads Pydantic's plugin wherever Pydantic is installed: 12 MB and a third of a second for nothing."""
    sys.modules.setdefault("pydantic", None)  # type: ignore[arg-type]


def _with_scissors(app: ASGIApp) -> ASGIApp:
    """Let a fault cut the connection: ASGI has no word for it, so reach for uvicorn's transport."""

    async def cuttable(scope: Scope, receive: Receive, send: Send) -> None:
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        scope["sandbox.cut"] = transport.abort if transport else lambda: None  # type: ignore[typeddict-unknown-key]
        await app(scope, receive, send)

    return cuttable


if __name__ == "__main__":
    main()
