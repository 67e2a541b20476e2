"""One JSON line per request, with an id that the visitor gets back. Addresses appear as their pattern only: a real
one may contain a secret link."""

import re
import secrets
import time

import structlog
from litestar.datastructures import MutableScopeHeaders
from litestar.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID = re.compile(rb"[A-Za-z0-9_-]{8,64}")

log = structlog.get_logger("web")


def log_requests(app: ASGIApp) -> ASGIApp:
    """Around the whole application: names every request and writes its line when the answer has ended."""

    async def with_log(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0
        request_id = _request_id(scope)

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableScopeHeaders.from_message(message)["X-Request-ID"] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await app(scope, receive, send_with_id)
            finally:
                _write_line(scope, status, started)

    return with_log


def _request_id(scope: Scope) -> str:
    """The caller's id if it looks like one, else a new one."""
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given.decode() if REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def _write_line(scope: Scope, status: int, started: float) -> None:
    handler = scope.get("route_handler")
    if handler and handler.opt.get("quiet") and status < 400:
        return
    log.info(
        "request",
        method=scope.get("method"),
        path=scope.get("path_template") or "(none)",
        status=status,
        ms=round((time.perf_counter() - started) * 1000, 1),
    )
