"""What holds for every answer, whatever route gave it: headers, the checks of origin and address, request ids."""

import re

from litestar.datastructures import MutableScopeHeaders
from litestar.exceptions import NotFoundException, PermissionDeniedException
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from web.site import Site

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
STRIPE = "https://js.stripe.com"
# Route options: opt={"personal": True} on pages behind a secret link, {"payment": True} on the page that pays,
# {"any_origin": True} on doors that machines use, {"quiet": True} for what is not worth a log line,
# {"background": True} for what a page asks by itself: its failures are answered without a word,
# {"picture": True} for what is only looked at: opened by itself it runs and loads nothing,
# {"upload": True} for a form that brings a file: everywhere else multipart is no form.
PERSONAL, PAYMENT, ANY_ORIGIN = "personal", "payment", "any_origin"
QUIET, BACKGROUND, PICTURE, UPLOAD = "quiet", "background", "picture", "upload"
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
LIFELESS = "default-src 'none'; frame-ancestors 'none'; sandbox"

POLICY: dict[str, tuple[str, ...]] = {
    "default-src": ("'none'",),
    "script-src": ("'self'",),
    "style-src": ("'self'",),
    "img-src": ("'self'", "data:"),
    "font-src": ("'self'",),
    "connect-src": ("'self'",),
    "manifest-src": ("'self'",),
    "form-action": ("'self'",),
    "base-uri": ("'none'",),
    "frame-ancestors": ("'none'",),
}


class Headers:
    """The security headers of this installation, made once."""

    def __init__(self, site: Site) -> None:
        common = {
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "strict-origin-when-cross-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=()",
            "Content-Security-Policy": _policy(POLICY, secure=site.secure),
        }
        if site.secure:
            common["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
        self._common = common
        # The link is the key, so no other site may learn it. Not “no-referrer”: with that a browser on plain HTTP
        # would also hide from us that our own form came from our own page.
        self._personal = {"Referrer-Policy": "same-origin", "Cache-Control": "no-store"}
        self._payment = {
            "Cross-Origin-Opener-Policy": "same-origin-allow-popups",  # wallets open their own window
            "Content-Security-Policy": _policy(_with_payment(site), secure=site.secure),
            "Permissions-Policy": common["Permissions-Policy"].replace(
                "payment=()", f'payment=(self "{site.stripe_js_origin}")'
            ),
        }

    def of(self, opt: dict) -> dict[str, str]:
        """The headers of one route, by its options."""
        headers = self._common
        if opt.get(PERSONAL) or opt.get(PAYMENT):
            headers = {**headers, **self._personal}
        if opt.get(PAYMENT):
            headers = {**headers, **self._payment}
        if opt.get(PICTURE):
            headers = {**headers, "Content-Security-Policy": LIFELESS}
        return headers


def _with_payment(site: Site) -> dict[str, tuple[str, ...]]:
    """What the payment provider's script, frames and calls need, and nothing else."""
    origin = site.stripe_js_origin
    policy = dict(POLICY)
    if origin == STRIPE:
        policy["script-src"] += (origin, "https://*.js.stripe.com")
        policy["frame-src"] = (origin, "https://*.js.stripe.com", "https://hooks.stripe.com")
        policy["connect-src"] += ("https://api.stripe.com",)
        policy["img-src"] += ("https://*.stripe.com",)
    else:
        policy["script-src"] += (origin,)
        policy["frame-src"] = (origin,)
        policy["connect-src"] += (origin,)
    return policy


def _policy(policy: dict[str, tuple[str, ...]], *, secure: bool) -> str:
    rules = [f"{name} {' '.join(sources)}" for name, sources in policy.items()]
    if secure:
        rules.append("upgrade-insecure-requests")
    return "; ".join(rules)


def add_headers(app: ASGIApp, headers: Headers) -> ASGIApp:
    """Around the whole application, so that a 404 that no route gave has them too."""

    async def with_headers(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableScopeHeaders.from_message(message)
                for name, value in headers.of(_opt(scope)).items():
                    if name not in answer or name == "Content-Security-Policy":
                        answer[name] = value
            await send(message)

        await app(scope, receive, send_with_headers)

    return with_headers


def _opt(scope: Scope) -> dict:
    handler = scope.get("route_handler")
    return handler.opt if handler else {}


class OriginCheck(ASGIMiddleware):
    """Refuses a change that another site's page asked for. Our forms need no token: the browser says who asks.

    Without either header the request comes from no browser, and carries no cookie of ours worth stealing.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        if scope["type"] == "http" and scope.get("method") not in SAFE_METHODS and not _opt(scope).get(ANY_ORIGIN):
            _check_origin(scope)
        await next_app(scope, receive, send)


class PathCheck(ASGIMiddleware):
    """Nothing of ours has a control character in its address. PostgreSQL cannot be asked for NUL, and an answer that
    names the address would carry a line end into its headers."""

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        if CONTROL.search(scope["path"]):
            raise NotFoundException
        await next_app(scope, receive, send)


def _check_origin(scope: Scope) -> None:
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    site = headers.get(b"sec-fetch-site")
    origin = headers.get(b"origin")
    if site is not None:
        allowed = site in ("same-origin", "none")
    elif origin is not None:
        allowed = origin.partition("://")[2] == headers.get(b"host")
    else:
        allowed = True
    if not allowed:
        raise PermissionDeniedException("cross-site request")
