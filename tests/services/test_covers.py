"""Covers: what becomes one, what does not, and that nothing of the file that came is kept."""

import io
import json
import struct
import zlib
from uuid import uuid4

import pytest
from PIL import Image, PngImagePlugin

from domain import covers as rules
from domain.covers import PictureUnfit
from domain.errors import EventNotFound, Overtaken
from models import cover as pictures
from models import database as db
from services import covers
from services.audit import Actor
from services.transaction import transaction
from tests.makers import make_event

MIRA = Actor(uuid4(), "Mira")
SECRET = b"46.0569N 14.5058E, Ana Kovac"


def photo(size=(1800, 1400), *, mode="RGB", kind="JPEG", colour=(200, 60, 30), **options) -> bytes:
    picture = Image.new("RGB", size, colour).convert(mode)
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data))
    picture.load()
    return picture


def bomb() -> bytes:
    """A PNG of a few kilobytes that says it is 30,000 pixels wide and high."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(1_000_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def gif_bomb() -> bytes:
    frames = [Image.new("P", (500, 400), colour) for colour in range(3)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return file.getvalue()


# ---------------------------------------------------------------- what becomes a cover


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_becomes_two_webp_and_one_for_sharing(kind):
    made = covers.encode(photo(kind=kind))
    assert [(opened(data).format, opened(data).size) for data in (made.large, made.small, made.shared)] == [
        ("WEBP", (1600, 1200)),
        ("WEBP", (800, 600)),
        ("JPEG", (1200, 630)),
    ]
    assert len(made.name) == 32
    assert covers.encode(photo(kind=kind)).name == made.name, "the same picture has the same name"


def test_a_small_picture_is_cropped_and_not_blown_up():
    made = covers.encode(photo((640, 640)))
    assert opened(made.large).size == opened(made.small).size == (640, 480)
    assert opened(made.shared).size == (640, 336)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_print_colours_are_shown_too(mode):
    assert opened(covers.encode(photo(mode=mode)).large).mode == "RGB"


@pytest.mark.parametrize("mode", ["P", "LA", "RGBA", "1", "I;16"])
def test_palettes_and_what_is_transparent_lie_on_white_paper(mode):
    picture = (
        Image.new("RGBA", (800, 600), (0, 0, 0, 0)) if mode in ("RGBA", "LA", "P") else Image.new("L", (800, 600), 255)
    )
    picture = Image.new("I;16", (800, 600), 65535) if mode == "I;16" else picture.convert(mode)
    file = io.BytesIO()
    picture.save(file, "PNG", **({"transparency": 0} if mode == "P" else {}))
    made = opened(covers.encode(file.getvalue()).small)
    assert made.mode == "RGB"
    assert min(made.getpixel((400, 300))) > 240


def test_a_photograph_stands_upright_as_the_camera_was_held():
    picture = Image.new("RGB", (1600, 1200), (0, 0, 255))
    picture.paste((255, 0, 0), (0, 0, 1600, 300))  # as stored: red on top
    turned = Image.Exif()
    turned[0x0112] = 3  # upside down
    file = io.BytesIO()
    picture.save(file, "JPEG", exif=turned)
    red, _, blue = opened(covers.encode(file.getvalue()).small).getpixel((400, 580))
    assert red > 200 > blue


def test_a_file_that_moves_stands_still():
    frames = [Image.new("RGB", (800, 600), colour) for colour in ("red", "blue")]
    for kind in ("WEBP", "PNG"):
        file = io.BytesIO()
        frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=50)
        made = opened(covers.encode(file.getvalue()).small)
        assert getattr(made, "n_frames", 1) == 1
        assert made.getpixel((400, 300))[0] > 200


# ---------------------------------------------------------------- what is left behind


def test_nothing_that_was_hidden_in_the_file_is_kept():
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (46.0, 3.0, 24.0)}  # where it was taken
    exif[0x013B] = SECRET.decode()
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Author", SECRET.decode())
    for file in (
        photo(exif=exif, comment=SECRET),
        photo(kind="PNG", pnginfo=notes),
        photo(kind="WEBP", exif=exif, xmp=b"<x>" + SECRET + b"</x>"),
        photo() + b"<script>alert(1)</script>" + SECRET,
        photo() + b"PK\x03\x04" + SECRET,
    ):
        made = covers.encode(file)
        for data in (made.large, made.small, made.shared):
            assert SECRET not in data
            assert b"<script" not in data
            found = opened(data)
            assert not found.getexif()
            assert not {"exif", "xmp", "icc_profile", "comment"} & found.info.keys()


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (b"", "Choose a picture first"),
        (b"hello", "JPEG, PNG or WebP"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "JPEG, PNG or WebP"),
        (b"<!doctype html><script>alert(1)</script>", "JPEG, PNG or WebP"),
        (b"GIF89a/*" + b"\0" * 50 + b"*/=1;alert(1)", "JPEG, PNG or WebP"),
        (gif_bomb(), "JPEG, PNG or WebP"),
        (photo(kind="TIFF"), "JPEG, PNG or WebP"),
        (photo(kind="BMP"), "JPEG, PNG or WebP"),
        (photo()[:2_000], "JPEG, PNG or WebP"),
        (photo(kind="PNG")[:-500], "JPEG, PNG or WebP"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 500, "JPEG, PNG or WebP"),
        (bomb(), "40 million or fewer"),
        (photo((399, 800)), "at least 400 × 300"),
        (photo((800, 10)), "at least 400 × 300"),
        (bytes(rules.LARGEST_FILE + 1), "larger than 8 MB"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} bytes",
)
async def test_whatever_else_is_uploaded_is_refused_in_words(database, file, words):
    event = await make_event()
    with pytest.raises(PictureUnfit, match=words):
        await covers.upload(event.id, file, actor=MIRA)
    assert await db.fetchval("SELECT count(*) FROM event_cover") == 0
    assert await db.fetchval("SELECT count(*) FROM audit_entry") == 0


async def test_what_hides_too_much_is_refused_before_it_is_unpacked(database, monkeypatch):
    def unpack(*_):
        raise AssertionError("unpacked")

    monkeypatch.setattr(Image.Image, "load", unpack)
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", unpack)
    with pytest.raises(PictureUnfit, match="40 million"):
        covers.encode(bomb())


# ---------------------------------------------------------------- the verbs


async def test_an_uploaded_cover_is_kept_with_its_event_and_written_down(database):
    event = await make_event()
    await covers.upload(event.id, photo(), actor=MIRA)
    name = await db.fetchval("SELECT cover FROM event WHERE id = $1", event.id)
    kept = await db.fetchrow("SELECT * FROM event_cover")
    assert name == covers.encode(photo()).name
    assert (opened(kept["large"]).size, kept["event_id"]) == ((1600, 1200), event.id)
    for _ in range(2):
        await covers.upload(event.id, photo(colour=(0, 90, 200)), was=name, actor=MIRA)
        assert await db.fetchval("SELECT count(*) FROM event_cover") == 1
    entries = await db.fetch("SELECT action, before, after FROM audit_entry ORDER BY id")
    assert [row["action"] for row in entries] == ["cover uploaded"] * 2, "the same picture once more changes nothing"
    assert json.loads(entries[1]["before"]) == {"cover": name}


async def test_the_drawn_one_is_shown_again(database):
    event = await make_event()
    await covers.remove(event.id, was="", actor=MIRA)
    await covers.upload(event.id, photo(), actor=MIRA)
    await covers.remove(event.id, was=await db.fetchval("SELECT cover FROM event"), actor=MIRA)
    assert await db.fetchval("SELECT cover FROM event WHERE id = $1", event.id) is None
    assert await db.fetchval("SELECT count(*) FROM event_cover") == 0
    assert await db.fetchval("SELECT array_agg(action ORDER BY id) FROM audit_entry") == [
        "cover uploaded",
        "cover removed",
    ]


async def test_a_picture_that_its_reader_has_not_seen_stays_as_it_is(database):
    event = await make_event()
    await covers.upload(event.id, photo(), actor=MIRA)
    kept = await db.fetchrow("SELECT * FROM event_cover")
    for verb in (
        covers.upload(event.id, photo(colour=(0, 90, 200)), actor=MIRA),
        covers.upload(event.id, photo(colour=(0, 90, 200)), was="another", actor=MIRA),
        covers.remove(event.id, was="another", actor=MIRA),
    ):
        with pytest.raises(Overtaken) as refusal:
            await verb
        assert refusal.value.theirs == await db.fetchval("SELECT cover FROM event")
    assert await db.fetchrow("SELECT * FROM event_cover") == kept


async def test_another_is_drawn_once_however_often_the_button_is_pressed(database):
    event = await make_event()
    for _ in range(2):
        await covers.draw_another(event.id, was=0, actor=MIRA)
    assert await db.fetchval("SELECT cover_seed FROM event WHERE id = $1", event.id) == 1
    await covers.draw_another(event.id, was=1, actor=MIRA)
    assert await db.fetchval("SELECT cover_seed FROM event WHERE id = $1", event.id) == 2


async def test_a_copy_of_an_event_shows_the_same_picture(database):
    event, other = await make_event(), await make_event()
    await covers.upload(event.id, photo(), actor=MIRA)
    async with transaction():
        await covers.copy(event.id, other.id)
    assert await pictures.of(other.id, "small") == await pictures.of(event.id, "small")
    names = await db.fetchval("SELECT array_agg(DISTINCT cover) FROM event")
    assert len(names) == 1


async def test_an_event_that_is_not_there_has_no_cover(database):
    for verb in (
        covers.upload(uuid4(), photo(), actor=MIRA),
        covers.remove(uuid4(), was="", actor=MIRA),
        covers.draw_another(uuid4(), was=0, actor=MIRA),
    ):
        with pytest.raises(EventNotFound):
            await verb
