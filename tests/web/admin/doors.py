"""Every route of the desk and what it asks for; what each kind of visitor must meet there; a desk that lasts, and one
thing of every kind."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
from litestar import Litestar

from domain.access import Permission, Role, may
from domain.refunds import Money
from models import database as db
from services import admins, covers, disputes
from services.audit import SYSTEM
from tests.admins import Desk, make_admin
from tests.makers import buy, make_event, ticket_type
from tests.services import bank, refunding
from tests.services.test_covers import photo
from web.admin import access
from web.admin.access import ENROLLING, FIRST_FACTOR, PUBLIC, Door

IN, SIGN_IN, REFUSED, CRASHED = "in", "sign in", "refused", "crashed"
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

    def address_of(self, ids: Mapping[str, object]) -> str:
        """With these ids: `{event_id:uuid}` is ids["event_id"]."""
        return re.sub(r"{(\w+):\w+}", lambda name: str(ids[name[1]]), self.path)

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
    """What somebody met at the door. A crash is no way in."""
    if answer.status_code >= 500:
        return CRASHED
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


# ---------------------------------------------------------------- things that there are

OF_A_DRAFT = ("/{event_id:uuid}/removal", "/{event_id:uuid}/preview")
ASKED_WITH = {"/refund/question": "?what=amount&amount=1&reason=requested"}


@dataclass(frozen=True, slots=True)
class Things:
    """One thing of every kind that an address can name. `draft`: for what is only asked about an event not yet on
    sale."""

    ids: Mapping[str, object]
    draft: UUID

    @classmethod
    async def made(cls, stripe: Any) -> "Things":
        event, draft = await make_event(ticket_type(), ticket_type("Student")), await make_event(status="DRAFT")
        await covers.upload(event.id, photo(), actor=SYSTEM)
        order = await buy(event, stripe, General=2)
        ids = {
            "event_id": event.id,
            "type_id": event.types["Student"],
            "order_id": order,
            "ticket_id": await db.fetchval("SELECT id FROM ticket WHERE order_id = $1 ORDER BY position", order),
            "refund_id": await refunding.refund_and_run(order, Money(500)),
            "dispute_id": await _lost_dispute(await buy(event, stripe), stripe),
            "admin_id": (await make_admin("manager")).id,
            "token": await admins.by_hand(email="ana@example.org", role=Role.DOOR),
            "name": await db.fetchval("SELECT cover FROM event WHERE id = $1", event.id),
            "file": "small.webp",
        }
        return cls(ids, draft.id)

    def address(self, route: Route) -> str:
        ids = {**self.ids, "event_id": self.draft} if route.path.endswith(OF_A_DRAFT) else self.ids
        query = next((query for end, query in ASKED_WITH.items() if route.path.endswith(end)), "")
        return route.address_of(ids) + query


async def _lost_dispute(order_id: UUID, stripe: Any) -> str:
    reference = await db.fetchval("SELECT payment_reference FROM orders WHERE id = $1", order_id)
    found = await stripe.dashboard(reference, "dispute")
    await bank.decide(stripe, found["id"], "lose")
    await disputes.sync(reference)
    return found["id"]
