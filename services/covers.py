"""The cover of an event: drawn by us, or uploaded and encoded anew.

Nothing of an upload is kept as it came. It is decoded within limits, turned as the camera was held, cropped to the
shape of our covers and written afresh: places, names and whatever else was hidden in the file stay behind.
"""

import asyncio
import hashlib
import io
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from PIL import Image, ImageOps

from domain import covers as rules
from domain.covers import PictureUnfit
from domain.errors import EventNotFound, Overtaken
from models import database
from services import audit, live
from services.audit import Actor
from services.transaction import transaction

LARGE, SMALL, SHARED = (1600, 1200), (800, 600), (1200, 630)
PAPER = "#ffffff"  # behind what is transparent

LOCK = "SELECT id, cover, cover_seed FROM event WHERE id = $1 FOR NO KEY UPDATE"
KEEP = """
    INSERT INTO event_cover (event_id, large, small, shared) VALUES ($1, $2, $3, $4)
    ON CONFLICT (event_id) DO UPDATE SET large = excluded.large, small = excluded.small, shared = excluded.shared,
        created_at = clock_timestamp()
"""
COPY = """
    INSERT INTO event_cover (event_id, large, small, shared)
    SELECT $2, large, small, shared FROM event_cover WHERE event_id = $1
"""

# A large picture takes a core and some hundred megabytes: one at a time.
_easel = asyncio.Lock()


@dataclass(frozen=True, slots=True)
class Pictures:
    """One upload in the sizes that pages ask for. `name`: the hash of them all."""

    name: str
    large: bytes
    small: bytes
    shared: bytes


async def upload(event_id: UUID, file: bytes, *, was: str | None = None, actor: Actor) -> None:
    """Instead of the picture `was`, or of the drawn one. Nobody's picture goes by the hand of who has not seen it.

    Raises PictureUnfit, EventNotFound, Overtaken.
    """
    rules.check_file(len(file))
    async with _easel:
        pictures = await asyncio.to_thread(encode, file)
    async with transaction():
        event = await _lock(event_id)
        if event["cover"] == pictures.name:
            return
        _check_seen(event, was)
        await database.execute(KEEP, event_id, pictures.large, pictures.small, pictures.shared)
        await _set(event, "cover uploaded", "cover", pictures.name, actor)
    live.announce(event_id)


async def remove(event_id: UUID, *, was: str, actor: Actor) -> None:
    """The drawn one is shown again instead of the picture `was`. Raises EventNotFound, Overtaken."""
    async with transaction():
        event = await _lock(event_id)
        if event["cover"] is None:
            return
        _check_seen(event, was)
        await database.execute("DELETE FROM event_cover WHERE event_id = $1", event_id)
        await _set(event, "cover removed", "cover", None, actor)
    live.announce(event_id)


async def draw_another(event_id: UUID, *, was: int, actor: Actor) -> None:
    """Another drawing than number `was`; pressed twice, it is one further all the same. Raises EventNotFound."""
    async with transaction():
        event = await _lock(event_id)
        if event["cover_seed"] != was:
            return
        await _set(event, "cover drawn", "cover_seed", was + 1, actor)
    live.announce(event_id)


async def copy(event_id: UUID, to: UUID) -> None:
    """Inside the running transaction: an event's copy shows the same picture."""
    await database.execute(COPY, event_id, to)
    await database.execute(
        "UPDATE event SET cover = (SELECT cover FROM event WHERE id = $1) WHERE id = $2", event_id, to
    )


def encode(file: bytes) -> Pictures:
    """Raises PictureUnfit. Takes up to some seconds of a core: not for the event loop."""
    picture = _decode(file)
    large, small = (_webp(_fitted(picture, size)) for size in (LARGE, SMALL))
    shared = _jpeg(_fitted(picture, SHARED))
    return Pictures(hashlib.sha256(large + small + shared).hexdigest()[:32], large, small, shared)


def _decode(file: bytes) -> Image.Image:
    """The picture upright and opaque. Its size is looked at before anything is unpacked, and only three decoders may
    try. A file that moves gives its first frame. Whatever a decoder chokes on is no picture: they raise all kinds."""
    try:
        with Image.open(io.BytesIO(file), formats=rules.FORMATS) as opened:
            rules.check_size(*opened.size)
            opened.draft("RGB", (LARGE[0], LARGE[0]))  # a JPEG is unpacked no larger than it takes
            opened.load()
            ImageOps.exif_transpose(opened, in_place=True)
            picture = _opaque(opened)
            picture.info.clear()  # a comment or a profile would be written again with the pixels
            return picture
    except PictureUnfit:
        raise
    except Image.DecompressionBombError as error:
        raise PictureUnfit(rules.TOO_MANY_PIXELS) from error
    except Exception as error:
        raise PictureUnfit(rules.NO_PICTURE) from error


def _opaque(picture: Image.Image) -> Image.Image:
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    see_through = picture.convert("RGBA")
    paper = Image.new("RGB", picture.size, PAPER)
    paper.paste(see_through, mask=see_through)
    return paper


def _fitted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Cropped from the middle to this shape, and never blown up."""
    scale = min(1.0, picture.width / size[0], picture.height / size[1])
    return ImageOps.fit(picture, (round(size[0] * scale), round(size[1] * scale)), Image.Resampling.LANCZOS)


def _webp(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=82, method=4)
    return file.getvalue()


def _jpeg(picture: Image.Image) -> bytes:
    """What link previews read everywhere."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=84, optimize=True, progressive=True)
    return file.getvalue()


async def _lock(event_id: UUID) -> Any:
    event = await database.fetchrow(LOCK, event_id)
    if event is None:
        raise EventNotFound
    return event


def _check_seen(event: Any, was: str | None) -> None:
    if event["cover"] != was:
        raise Overtaken(event["cover"])


async def _set(event: Any, action: str, column: str, to: Any, actor: Actor) -> None:
    await database.execute(f"UPDATE event SET {column} = $2 WHERE id = $1", event["id"], to)
    await audit.write(actor, action, "event", event["id"], {column: event[column]}, {column: to})
