"""Live pages of the desk: the shop's hub, for as long as the session is open and its role allows it.

Everybody who listens to a topic gets the same bytes: what is pushed carries no form, no token and nothing that depends
on who is looking.
"""

from collections.abc import Hashable
from functools import partial
from typing import Any

from litestar import Request, Response

from web import live
from web.admin import access
from web.live import Look
from web.security import BACKGROUND, QUIET

# What a stream's route says beside its permission: opt={**access.requires(…), **LIVE}
LIVE = {QUIET: True, BACKGROUND: True, "no_compression": True}


def answer(request: Request, key: Hashable, look: Look, *, since: float | None = None) -> Response[Any]:
    """The stream of one page. `key`: see Hub.stream; begin its name with “desk”, the shop's topics are others."""
    return live.answer(request, key, look, since=since, welcome=partial(access.is_still_in, request))
