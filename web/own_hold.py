"""The visitor's own hold, remembered by a cookie that only this site's server reads."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Request
from litestar.datastructures import Cookie

from domain.errors import CheckoutNotFound
from models import programme
from models.programme import LiveHold
from services import links
from web import site

# Longer than a hold can be paid for: what it points to says whether it still lives.
MINUTES = 30


@dataclass(frozen=True, slots=True)
class OwnHold:
    token: str
    hold: LiveHold


def cookie_name() -> str:
    return "__Host-hold" if site.here().secure else "hold"


def remember(token: str) -> Cookie:
    return Cookie(
        cookie_name(),
        value=token,
        max_age=MINUTES * 60,
        path="/",
        secure=site.here().secure,
        httponly=True,
        samesite="lax",
    )


def forget() -> Cookie:
    return Cookie(
        cookie_name(), value="", max_age=0, path="/", secure=site.here().secure, httponly=True, samesite="lax"
    )


def is_claimed(request: Request) -> bool:
    """Whether the visitor may hold something somewhere: a look costs a query."""
    return cookie_name() in request.cookies


async def own_hold(request: Request, event_id: UUID) -> OwnHold | None:
    """What the visitor holds of this event right now."""
    token = request.cookies.get(cookie_name())
    if not token:
        return None
    try:
        hold = await programme.live_hold(links.checkout_behind(token))
    except CheckoutNotFound:
        return None
    return OwnHold(token, hold) if hold and hold.event_id == event_id else None


def shown(own: OwnHold | None) -> dict[str, Any]:
    """What the templates are given."""
    return {"hold": own.hold, "token": own.token} if own else {"hold": None, "token": ""}
