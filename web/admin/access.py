"""The door to the desk. Every route under /admin says what it takes to pass; one that says nothing stops the start.

    class PaymentsController(Controller):
        path = "/payments"
        opt = access.requires(Permission.SEE_PAYMENTS)

Its handlers inherit that, and may ask for more with their own `opt`.
"""

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, cast
from urllib.parse import quote, urlsplit
from uuid import UUID

from litestar import Litestar, Request, Response
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.exceptions import ImproperlyConfiguredException
from litestar.handlers import BaseRouteHandler
from litestar.routes import BaseRoute

from domain.access import NotPermitted, Permission, Stage, may, stage
from domain.errors import Refusal
from services import admin_sessions
from services.admin_sessions import Session
from services.audit import Actor
from services.sign_in import Admitted, Visitor
from web import rendering, site
from web.admin import browsers, navigation, roles
from web.rendering import is_htmx
from web.request import PlainRequest
from web.security import BACKGROUND, SAFE_METHODS
from web.theme import OUR_PATH

PERMISSION, LEADS_ON = "permission", "leads on"
HOME, LOGIN, CODE, ENROLMENT = "/admin", "/admin/login", "/admin/login/code", "/admin/account/second-factor"
TOKEN_FIELD, TOKEN_HEADER = "csrf", "x-csrf-token"
A_YEAR = 365 * 24 * 3600


class Door(IntEnum):
    """What a route may ask for instead of a permission, from the street inwards."""

    PUBLIC = 0  # everybody: the sign-in pages
    FIRST_FACTOR = 1  # the password was right
    ENROLLING = 2  # in, or in as soon as there is a second factor
    ANY_ADMIN = 3  # in, whatever the role: their own account


PUBLIC, FIRST_FACTOR, ENROLLING, ANY_ADMIN = Door
REACHED = {Stage.CODE: FIRST_FACTOR, Stage.ENROL: ENROLLING, Stage.IN: ANY_ADMIN}

_second_factor_required = False


def requires(what: "Permission | Door", *, unless: "Callable[[Me], bool] | None" = None) -> dict[str, Any]:
    """The `opt` of a controller or of one handler.

    `unless`: of whom nothing is asked any more. The handler only leads them on, so no form token is looked at: what is
    pressed twice, without JavaScript, carries the token of the session before.
    """
    return {PERMISSION: what, LEADS_ON: unless}


def use(*, second_factor_required: bool) -> None:
    global _second_factor_required
    _second_factor_required = second_factor_required


@dataclass(frozen=True, slots=True)
class Me:
    """Who is at the desk."""

    session: Session
    csrf: str

    @property
    def admin_id(self) -> UUID:
        return self.session.admin_id

    @property
    def name(self) -> str:
        return self.session.name or self.session.email

    @property
    def email(self) -> str:
        return self.session.email

    @property
    def role(self) -> str:
        return self.session.role

    @property
    def role_words(self) -> str:
        return roles.name_of(self.role)

    @property
    def stage(self) -> Stage:
        return stage(
            has_second_factor=self.session.has_second_factor,
            shown=self.session.shown,
            required=_second_factor_required,
        )

    @property
    def actor(self) -> Actor:
        return Actor(self.admin_id, self.name)

    def may(self, permission: Permission) -> bool:
        return may(self.role, permission)


class SignInNeeded(Exception):
    """Nobody is signed in, or not far enough. `path` is where to go for that."""

    def __init__(self, path: str) -> None:
        self.path = path


class StalePage(Refusal):
    """A form without the token of this session: the page is older than the last sign-in, or not ours at all."""


# ---------------------------------------------------------------- the guard


async def admit(connection: ASGIConnection, handler: BaseRouteHandler) -> None:
    """On every route. Raises SignInNeeded, NotPermitted or StalePage."""
    asked = handler.opt.get(PERMISSION)
    if asked is None:
        return  # the shop; check_routes() has seen to it that no page of the desk comes this way
    request = cast(PlainRequest, connection)
    who = await _find(request)
    request.state.me = who
    if asked is PUBLIC:
        return
    if who is None:
        raise SignInNeeded(LOGIN)
    if isinstance(asked, Permission):
        _refuse_halfway(who, ANY_ADMIN)
        if not who.may(asked):
            raise NotPermitted
    else:
        _refuse_halfway(who, asked)
    leads_on = handler.opt.get(LEADS_ON)
    if request.method not in SAFE_METHODS and not (leads_on and leads_on(who)):
        await _check_token(request, who)


def check_routes(app: Litestar) -> None:
    """Deny by default: the application does not start with a page of the desk that says nothing."""
    for route in app.routes:
        if route.path != HOME and not route.path.startswith(f"{HOME}/"):
            continue
        for handler in _handlers(route):
            if not isinstance(handler.opt.get(PERMISSION), Permission | Door):
                raise ImproperlyConfiguredException(f"{route.path} ({handler}) declares no permission")
            if admit not in handler.resolve_guards():
                raise ImproperlyConfiguredException(f"{route.path} ({handler}) stands outside the guard")


def _handlers(route: BaseRoute) -> list[Any]:
    """A route has one handler per method, or, where methods mean nothing, one. The framework's own answer to OPTIONS
    says which methods there are, and nothing else."""
    ours = getattr(route, "route_handlers", None) or [getattr(route, "route_handler")]  # noqa: B009
    return [handler for handler in ours if not handler.fn.__module__.startswith("litestar.")]


async def _find(request: Request) -> Me | None:
    token = request.cookies.get(cookie_name("desk"))
    if not token:
        return None
    session = await admin_sessions.find(token, seen=not request.route_handler.opt.get(BACKGROUND))
    return Me(session, admin_sessions.form_token(token)) if session else None


def _refuse_halfway(who: Me, asked: Door) -> None:
    if REACHED[who.stage] < asked:
        raise SignInNeeded(CODE if who.stage is Stage.CODE else ENROLMENT)


async def _check_token(request: PlainRequest, who: Me) -> None:
    """On top of the origin check: bound to this session, where a header could be missing or a browser be wrong."""
    given = request.headers.get(TOKEN_HEADER)
    if given is None and request.carries_form:
        typed = (await request.form()).get(TOKEN_FIELD)
        given = typed if isinstance(typed, str) else None
    if given is None or not hmac.compare_digest(given.encode(), who.csrf.encode()):
        raise StalePage


# ---------------------------------------------------------------- what handlers ask


def me(request: Request) -> Me:
    """Who is at the desk, on a route that is not PUBLIC."""
    who = request.state.me
    assert isinstance(who, Me), "this route asks for nobody"
    return who


def actor(request: Request) -> Actor:
    return me(request).actor


async def is_still_in(request: Request, *, also: Iterable[Permission] = ()) -> bool:
    """For what stays open long after the guard has let it in: somebody signs out, is disabled, or changes role.

    `also`: what they must be allowed beside what the route asks.
    """
    who, asked = await _find(request), request.route_handler.opt[PERMISSION]
    if who is None or who.stage is not Stage.IN:
        return False
    wanted = [*also, asked] if isinstance(asked, Permission) else also
    return all(who.may(permission) for permission in wanted)


def visitor(request: Request) -> Visitor:
    return Visitor(
        address=request.client.host if request.client else "",
        browser=browsers.in_words(request.headers.get("user-agent", "")),
        mark=request.cookies.get(cookie_name("known")),
        session=request.cookies.get(cookie_name("desk")),
    )


def page(request: Request, template: str, *, section: str = "", status_code: int = 200, **values: Any) -> Response[str]:
    """A page in the desk's layout. `section` marks the navigation."""
    return rendering.page(request, template, status_code=status_code, section=section, **_of_desk(request), **values)


def fragment(request: Request, template: str, *, status_code: int = 200, **values: Any) -> Response[str]:
    return rendering.fragment(template, status_code=status_code, **_of_desk(request), **values)


def _of_desk(request: Request) -> dict[str, Any]:
    who = request.state.me
    return {
        "me": who,
        "csrf": who.csrf if who else "",
        "rail": navigation.seen_by(who.role) if who else (),
        "counts": request.state.get("counts", {}),
    }


# ---------------------------------------------------------------- cookies and ways


def cookie_name(name: str) -> str:
    """__Host-: only over HTTPS, only for this host, set by nobody's subdomain."""
    return f"__Host-{name}" if site.here().secure else name


def keep(answer: Response, admitted: Admitted) -> Response:
    """The browser gets its new session, and the mark by which its tries are counted apart from strangers'."""
    keep_session(answer, admitted.session)
    answer.set_cookie(_cookie("known", admitted.mark, max_age=A_YEAR))
    return answer


def keep_session(answer: Response, token: str) -> Response:
    answer.set_cookie(_cookie("desk", token))
    return answer


def forget_session(answer: Response) -> Response:
    answer.set_cookie(_cookie("desk", "", max_age=0))
    return answer


def _cookie(name: str, value: str, max_age: int | None = None) -> Cookie:
    """Lax, not Strict: a link in a mail to a page of the desk should find its reader signed in. What changes
    anything is a POST, which Lax keeps from other sites as well."""
    return Cookie(
        cookie_name(name),
        value=value,
        path="/",
        max_age=max_age,
        httponly=True,
        samesite="lax",
        secure=site.here().secure,
    )


def safe_next(path: object) -> str:
    """Where to go after signing in: a page of the desk, whatever else was asked."""
    if isinstance(path, str) and OUR_PATH.fullmatch(path) and path.isprintable():
        only_path = urlsplit(path).path
        segments = only_path.split("/")
        if (only_path == HOME or only_path.startswith(f"{HOME}/")) and ".." not in segments:
            return path
    return HOME


def way_in(request: Request, needed: SignInNeeded) -> str:
    """The page that lets them in, which leads back to where they were going."""
    back = safe_next(_where_they_were(request))
    return needed.path if back == HOME else f"{needed.path}?next={quote(back, safe='/')}"


def _where_they_were(request: Request) -> str:
    if is_htmx(request):
        return _of_address(request.headers.get("hx-current-url", ""))
    if request.method not in SAFE_METHODS:
        return _of_address(request.headers.get("referer", ""))
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _of_address(address: str) -> str:
    """Only the path: a header may name any host, and is never followed there."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return HOME
    return parts.path + (f"?{parts.query}" if parts.query else "")
