"""Live pages of the desk: the shop's hub, for as long as the session is open and its role allows it.

Everybody who listens to a topic gets the same bytes: what is pushed carries no form and no token. What only some may
see makes two topics of one, by `Sight`.

A page is regions, each one partial with the id of its name. What has changed is sent, region by region.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from litestar import Request, Response

from domain.access import Permission
from web import live, rendering
from web.admin import access
from web.live import Look, Seen
from web.security import BACKGROUND, QUIET

# What a stream's route says beside its permission: opt={**access.requires(…), **LIVE}
LIVE = {QUIET: True, BACKGROUND: True, "no_compression": True}
# And the route that a page asks while its stream is away.
POLLED = {QUIET: True, BACKGROUND: True}


@dataclass(frozen=True, slots=True)
class Sight:
    """What of a live page is shown to some and not to others: part of its topic's key."""

    orders: bool  # who buys, and the way to their order
    payments: bool  # what needs attention

    @property
    def permissions(self) -> tuple[Permission, ...]:
        shown = {Permission.SEE_ORDERS: self.orders, Permission.SEE_PAYMENTS: self.payments}
        return tuple(permission for permission, given in shown.items() if given)


def sight(request: Request) -> Sight:
    me = access.me(request)
    return Sight(orders=me.may(Permission.SEE_ORDERS), payments=me.may(Permission.SEE_PAYMENTS))


def answer(
    request: Request, key: Hashable, look: Look, *, also: Iterable[Permission] = (), since: float | None = None
) -> Response[Any]:
    """The stream of one page. `key`: see Hub.stream; begin its name with “desk”, the shop's topics are others.

    `also`: what its listeners must be allowed beside what the route asks.
    """
    welcome = partial(access.is_still_in, request, also=tuple(also))
    return live.answer(request, key, look, since=since, welcome=welcome)


def parts(
    regions: Mapping[str, str], values: Mapping[str, Any], *, now: datetime, changes_in: float | None
) -> dict[str, Seen]:
    """What each region (name → template) shows now. `changes_in`: seconds until any of them does by itself."""
    found = {}
    for name, file in regions.items():
        body = rendering.render("admin/live/region.swap.html", region=name, file=file, **values)
        found[name] = Seen(body, now.timestamp(), changes_in)
    return found


def polled(regions: Mapping[str, str], values: Mapping[str, Any]) -> Response[str]:
    """All regions at once, for a page whose stream is away."""
    return rendering.fragment("admin/live/regions.swap.html", regions=regions, **values)
