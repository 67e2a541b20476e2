"""An event's cover wherever it is shown: the picture that somebody uploaded, or else the poster that we draw.

Both have the name of what they show in their address, so a browser may keep them for ever. An address that is old
shows what there is now: a picture is never broken.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from litestar import Controller, Response, get
from litestar.params import FromPath, FromQuery

from domain.errors import EventNotFound
from domain.events import EventStatus
from models import cover as pictures
from models import programme
from models.cover import Size
from web import posters
from web.security import PICTURE, QUIET
from web.together import Together

LONGEST_SLUG = 200
MOST_DRAWINGS = 1_000_000
FOR_EVER, A_MONTH = "public, max-age=31536000, immutable", "public, max-age=2592000"
SHARED = {"Cross-Origin-Resource-Policy": "cross-origin"}
# How an uploaded cover is called in its address, and what it is.
FILES: dict[str, tuple[Size, str]] = {
    "large.webp": ("large", "image/webp"),
    "small.webp": ("small", "image/webp"),
    "shared.jpg": ("shared", "image/jpeg"),
}
_brush = asyncio.Lock()


@dataclass(frozen=True, slots=True)
class Cover:
    """Where the pictures of one event are. `shared`: what link previews show, 1200 × 630."""

    src: str
    srcset: str | None
    shared: str
    shared_type: str


def cover_of(event: Mapping[str, Any]) -> Cover:
    """`event` has slug, status, sold, cover and cover_seed, and an id if it may be a draft."""
    if event["cover"]:
        return _uploaded(event)
    which = f"?drawing={event['cover_seed']}" if event["cover_seed"] else ""
    base = f"/events/{event['slug']}"
    return Cover(f"{base}/cover.svg{which}", None, f"{base}/cover.png{which}", "image/png")


def hue(event: Mapping[str, Any]) -> int:
    """The page's tint, 0 to 9: that of the drawn poster, also under an uploaded cover."""
    return posters.hue(event["slug"], event["cover_seed"])


def _uploaded(event: Mapping[str, Any]) -> Cover:
    is_public = event["status"] == EventStatus.PUBLISHED or event["sold"] > 0  # as models.cover says it
    base = f"/events/{event['slug']}" if is_public else f"/admin/events/{event['id']}"
    small, large, shared = (
        f"{base}/cover/{event['cover']}/{file}" for file in ("small.webp", "large.webp", "shared.jpg")
    )
    return Cover(small, f"{small} 800w, {large} 1600w", shared, "image/jpeg")


class CoversController(Controller):
    path = "/events/{slug:str}"
    opt = {QUIET: True, PICTURE: True}  # noqa: RUF012

    @get("/cover.svg", sync_to_thread=False)
    def drawn(self, slug: FromPath[str], drawing: FromQuery[int] = 0) -> Response[bytes]:
        """Any address has its poster, also that of a draft: nothing can be learnt from it."""
        _check(slug, drawing)
        return picture(posters.svg(slug, drawing), "image/svg+xml", caching=A_MONTH)

    @get("/cover.png")
    async def drawn_for_sharing(self, slug: FromPath[str], drawing: FromQuery[int] = 0) -> Response[bytes]:
        _check(slug, drawing)
        if await programme.published(slug) is None:
            raise EventNotFound
        return picture(await _paint(slug, drawing), "image/png", caching=A_MONTH)

    @get("/cover/{name:str}/{file:str}")
    async def uploaded(self, slug: FromPath[str], name: FromPath[str], file: FromPath[str]) -> Response[Any]:
        if file not in FILES or len(slug) > LONGEST_SLUG:
            raise EventNotFound
        size, media_type = FILES[file]
        found = await _public((slug, size))
        if found is None:
            return _drawn_instead(slug, size)
        return picture(found["picture"], media_type, caching=FOR_EVER if name == found["cover"] else "no-cache")


def picture(body: bytes, media_type: str, *, caching: str) -> Response[bytes]:
    return Response(body, media_type=media_type, headers={"Cache-Control": caching, **SHARED})


def _drawn_instead(slug: str, size: Size) -> Response[None]:
    """No uploaded cover, or none for everybody: nobody learns which."""
    file = "cover.png" if size == "shared" else "cover.svg"
    return Response(None, status_code=302, headers={"Location": f"/events/{slug}/{file}", "Cache-Control": "no-cache"})


def _check(slug: str, drawing: int) -> None:
    if len(slug) > LONGEST_SLUG or not 0 <= drawing < MOST_DRAWINGS:
        raise EventNotFound


async def _paint(slug: str, drawing: int) -> bytes:
    """Away from the event loop, and one at a time: painting takes a whole core."""
    async with _brush:
        return await asyncio.to_thread(posters.png, slug, drawing)


async def _look_up(slug_and_size: tuple[str, Size]) -> Any | None:
    return await pictures.public(*slug_and_size)


# A link that is shared brings everybody at once: one look for all who wait.
_public: Together[tuple[str, Size], Any | None] = Together(_look_up)
