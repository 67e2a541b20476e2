"""The composition root of the web: settings in, one Litestar application out."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, cast

from arq.connections import ArqRedis
from litestar import Litestar
from litestar.config.compression import CompressionConfig
from litestar.types import ASGIApp, ControllerRouterHandler, Message, Receive, Scope, Send

import settings as configuration
from models import database
from services import gateway, links, pace, second_factor, throttle, ticket_codes
from services import live as announcements
from services.logs import set_up_logs
from services.stripe_gateway import StripeGateway
from settings import Settings
from tasks import queue
from web import assets, errors, health, logs, security, site
from web.admin import access, desk
from web.checkouts import CheckoutsController
from web.covers import CoversController
from web.events import EventsController
from web.live import Hub
from web.orders import OrdersController
from web.payments import PaymentsController
from web.request import PlainRequest
from web.site import Site
from web.theme import switch_theme
from web.webhooks import receive_notice

CONTROLLERS: list[ControllerRouterHandler] = [
    EventsController,
    CoversController,
    CheckoutsController,
    PaymentsController,
    OrdersController,
    receive_notice,
    health.HealthController,
    switch_theme,
    assets.serve,
]
# Nothing that a person types into our forms is larger, where a route does not say so.
MAX_BODY = 64 * 1024


def create_app(settings: Settings | None = None) -> Litestar:
    settings = settings or configuration.load()
    here = _site(settings)
    site.use(here)
    links.use_keys(settings.secret_keys)
    ticket_codes.use_keys(settings.secret_keys)
    second_factor.use_keys(settings.secret_keys)
    throttle.use_keys(settings.secret_keys)
    access.use(second_factor_required=settings.production)
    pace.use_rate(settings.stripe_calls_per_second)
    set_up_logs()
    app = Litestar(
        [*CONTROLLERS, desk.router()],
        guards=[access.admit],
        lifespan=[_running(settings)],
        middleware=[security.PathCheck(), security.OriginCheck()],
        exception_handlers=errors.HANDLERS,
        compression_config=CompressionConfig(backend="gzip", gzip_compress_level=6, exclude_opt_key="no_compression"),
        request_class=PlainRequest,
        request_max_body_size=MAX_BODY,
        logging_config=None,
        openapi_config=None,
    )
    access.check_routes(app)
    # Around everything, so that an answer that no route gave (a 404) has its headers and its line in the log too.
    answering = security.add_headers(app.asgi_handler, security.Headers(here))
    app.asgi_handler = _answer_heads(logs.log_requests(answering))
    return app


def _site(settings: Settings) -> Site:
    return Site(
        base_url=settings.base_url,
        secure=settings.secure,
        test_mode=settings.test_mode,
        stripe_js_url=settings.stripe_js_url,
        stripe_publishable_key=settings.stripe_publishable_key,
    )


def _running(settings: Settings) -> Any:
    @asynccontextmanager
    async def running(app: Litestar) -> AsyncIterator[None]:
        """What lives as long as the process: the pool, Redis, the hub of the live pages."""
        await database.open_pool(settings.pool_size)
        redis = ArqRedis.from_url(settings.redis_url, socket_connect_timeout=1)
        announcements.connect(redis)
        queue.connect(redis)
        health.connect(redis)
        stripe = StripeGateway(
            secret_key=settings.stripe_secret_key,
            api_base=settings.stripe_api_base,
            webhook_secrets=settings.stripe_webhook_secrets,
        )
        gateway.use(stripe)
        hub = app.state.hub = Hub(redis)
        try:
            async with hub:
                with _ending_streams_on_signal(hub):
                    yield
        finally:
            announcements.connect(None)
            queue.connect(None)
            await stripe.close()
            await redis.aclose()
            await database.close_pool()

    return running


def _answer_heads(app: ASGIApp) -> ASGIApp:
    """HEAD is GET without the body, for every page."""

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        if scope.get("method") == "HEAD":
            await app(cast(Scope, {**scope, "method": "GET"}), receive, send_head)
        else:
            await app(scope, receive, send)

    return answering


@contextmanager
def _ending_streams_on_signal(hub: Hub) -> Iterator[None]:
    """The server waits for open answers before it tells us that it ends: live streams must hear it from the signal."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def end(number: int, frame: Any) -> None:
        loop.call_soon_threadsafe(hub.end_streams)
        then = before[signal.Signals(number)]
        if callable(then):
            then(number, frame)

    for number, then in before.items():
        if callable(then):
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, then in before.items():
            signal.signal(number, then)
