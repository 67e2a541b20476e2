"""The one table: what a refusal or a failure looks like to the person it happens to.

Pages for whole-page requests; for htmx a toast that leaves the page, and everything typed into it, as it is. Refusals
that belong into a form (too few left, a wrong field) are answered by their own controller and never get here.
"""

import socket
from http import HTTPStatus
from typing import Any

import asyncpg
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from domain.access import AdminNotFound, NotPermitted
from domain.errors import (
    AlreadyPaid,
    CheckoutNotFound,
    EventEnded,
    EventNotFound,
    HoldEnded,
    OrderNotFound,
    PaymentUnderWay,
    Refusal,
    TooBusy,
)
from web import rendering
from web.admin.access import SignInNeeded, StalePage, way_in
from web.rendering import is_htmx, redirect
from web.security import BACKGROUND, SAFE_METHODS

REFUSALS: dict[type[Refusal], tuple[int, str]] = {
    EventNotFound: (404, "refusals/event_not_found.html"),
    EventEnded: (410, "refusals/event_ended.html"),
    CheckoutNotFound: (404, "refusals/checkout_not_found.html"),
    OrderNotFound: (404, "refusals/order_not_found.html"),
    HoldEnded: (410, "refusals/hold_ended.html"),
    AlreadyPaid: (409, "refusals/already_paid.html"),
    PaymentUnderWay: (409, "refusals/payment_under_way.html"),
    TooBusy: (503, "refusals/busy.html"),
    AdminNotFound: (404, "refusals/not_found.html"),
    NotPermitted: (403, "refusals/not_permitted.html"),
    StalePage: (403, "refusals/stale_page.html"),
}

STATUSES: dict[int, str] = {
    400: "refusals/not_understood.html",
    403: "refusals/cross_site.html",
    404: "refusals/not_found.html",
    405: "refusals/wrong_method.html",
    410: "refusals/gone.html",
    413: "refusals/too_large.html",
    422: "refusals/not_understood.html",
    429: "refusals/too_many.html",
    503: "refusals/busy.html",
}
BROKEN = "refusals/broken.html"
RETRY_AFTER = {429: "10", 503: "3"}

log = structlog.get_logger("web")


def show_refusal(request: Request, refusal: Refusal) -> Response[str]:
    for kind in type(refusal).__mro__:
        if kind in REFUSALS:
            return _show(request, *REFUSALS[kind], refusal=refusal)
    # A refusal that nobody shows in place is a mistake of ours, but the buyer still deserves the truth.
    log.error("refusal without a place", refusal=type(refusal).__name__)
    return _show(request, 409, "refusals/not_understood.html", refusal=refusal)


def show_http_error(request: Request, error: HTTPException) -> Response[str]:
    status = error.status_code
    template = STATUSES.get(status, BROKEN if status >= 500 else STATUSES[400])
    answer = _show(request, status, template)
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    return answer


def show_way_in(request: Request, needed: SignInNeeded) -> Response[Any]:
    """Whoever opens a page of the desk is led to where they sign in, and back. What a page asks by itself gets 401; so
    does what somebody is saving, beside whose page it is said: what they typed is nowhere else."""
    path = way_in(request, needed)
    if _asked_by_page(request) or (is_htmx(request) and request.method not in SAFE_METHODS):
        return _show(request, 401, "refusals/signed_out.html", path=path)
    answer = redirect(request, path)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def show_away(request: Request, error: Exception) -> Response[str]:
    """The database is restarting, unreachable, or a lock took too long. It passes, and a retry does no harm."""
    log.warning("database away", path=request.scope.get("path_template"), error=error)
    return _show(request, 503, "refusals/away.html")


def show_failure(request: Request, error: Exception) -> Response[str]:
    """Something broke on our side. The details go to the log, never to the page."""
    log.error("failure", path=request.scope.get("path_template"), exc_info=error)
    return _show(request, 500, BROKEN)


def _show(request: Request, status: int, template: str, **values: Any) -> Response[str]:
    headers = {"Cache-Control": "no-store", "Vary": "HX-Request"}
    if status in RETRY_AFTER:
        headers["Retry-After"] = RETRY_AFTER[status]
    if _asked_by_page(request):
        return Response("", status_code=status, headers=headers, media_type="text/html")
    layout = "refusals/_toast.swap.html" if is_htmx(request) else "refusals/_page.html"
    values |= {"layout": layout, "status": status, "phrase": HTTPStatus(status).phrase}
    return rendering.page(request, template, status_code=status, headers=headers, **values)


def _asked_by_page(request: Request) -> bool:
    """A poll or a stream, which nobody pressed a button for."""
    handler = request.scope.get("route_handler")
    return bool(handler and handler.opt.get(BACKGROUND))


# What asyncpg and the socket say when there is no database to ask.
AWAY: tuple[type[Exception], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    ConnectionError,
    TimeoutError,
    socket.gaierror,
)
HANDLERS: Any = {
    Refusal: show_refusal,
    SignInNeeded: show_way_in,
    HTTPException: show_http_error,
    **dict.fromkeys(AWAY, show_away),
    Exception: show_failure,
}
