"""Every route of the desk and what it asks for; what each kind of visitor must meet there; a desk that lasts."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
from litestar import Litestar

from domain.access import Permission, Role, may
from tests.admins import Desk
from web.admin import access
from web.admin.access import ENROLLING, FIRST_FACTOR, PUBLIC, Door

IN, SIGN_IN, REFUSED = "in", "sign in", "refused"
NOBODY, HALFWAY, UNPROTECTED = "nobody", "halfway", "unprotected"
# The last steps inwards: the password is right, or there is no second factor yet where one is wanted.
REACHES: dict[str, Door] = {NOBODY: PUBLIC, HALFWAY: FIRST_FACTOR, UNPROTECTED: ENROLLING}
WAYS_IN = re.compile(r"/admin/(login|account/second-factor)")


@dataclass(frozen=True, slots=True, order=True)
class Route:
    path: str
    method: str
    asked: Permission | Door

    @property
    def address(self) -> str:
        """With ids that nobody has."""
        address = re.sub(r"{\w+:uuid}", str(uuid4()), self.path)
        return re.sub(r"{\w+:\w+}", "made-up", address)

    @property
    def changes(self) -> bool:
        return self.method != "GET"


def desk_routes(app: Litestar) -> list[Route]:
    found = []
    for route in app.routes:
        if route.path == "/admin" or route.path.startswith("/admin/"):
            for handler in access._handlers(route):
                for method in handler.http_methods:
                    found.append(Route(route.path, str(method), handler.opt["permission"]))
    return sorted(found, key=lambda each: (each.path, each.method))


def expected(asked: Permission | Door, who: str) -> str:
    """What the declaration promises. `who`: a role, or one of REACHES."""
    if who in REACHES:
        reaches = isinstance(asked, Door) and asked <= REACHES[who]
        return IN if reaches else SIGN_IN
    return IN if isinstance(asked, Door) or may(who, asked) else REFUSED


def met(answer: httpx.Response) -> str:
    """What somebody met at the door."""
    if "max-age=0" in answer.headers.get("set-cookie", "").lower():
        return IN  # they were let in, and did what signs them out
    if answer.status_code == 401:
        return SIGN_IN  # what a page asks by itself leads nowhere
    where = answer.headers.get("location") or answer.headers.get("hx-redirect", "")
    if answer.status_code in (204, 303) and WAYS_IN.match(where):
        return SIGN_IN
    return REFUSED if answer.status_code == 403 else IN


class Lasting:
    """The desk of one admin. What signs it out, or in anew, is noticed by the cookie: then it signs in again."""

    def __init__(self, sign_in: Callable[[], Awaitable[Desk]]) -> None:
        self._sign_in = sign_in
        self.desk: Desk | None = None

    async def request(self, method: str, address: str, **sent: Any) -> httpx.Response:
        if self.desk is None:
            self.desk = await self._sign_in()
        answer = await self.desk.request(method, address, **sent)
        if "set-cookie" in answer.headers:
            self.desk = None
        return answer


def roles() -> list[str]:
    return [role.value for role in Role]
