"""Live pages: one look and one rendering per change, the latest state wins, and nothing is lost for long."""

import asyncio
import contextlib
import re
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from litestar import Litestar
from redis.asyncio import Redis

from models import programme, stock
from sandbox import redis as valkey
from services import live as announcements
from tests.conftest import until
from tests.makers import Made, hold, let_time_run_out, make_event, ticket_type
from web import events, live
from web.live import Hub, Seen, TooManyStreams


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(redis_url)
    announcements.connect(client)
    yield client
    announcements.connect(None)
    await client.aclose()


@pytest.fixture
async def hub(redis: Redis) -> AsyncIterator[Hub]:
    async with Hub(redis) as hub:
        await until(lambda: hub.hears)
        yield hub


@pytest.fixture
def own_folder(scratch: Path) -> Path:
    folder = scratch / "own-redis"
    folder.mkdir()
    return folder


class Shop:
    """Something to look at, that counts how often it is looked at."""

    def __init__(self) -> None:
        self.left = 10
        self.looks = 0
        self.changes_in: float | None = None
        self.event_id = uuid.uuid4()

    async def look(self, changed: set[UUID] | None) -> dict[UUID, Seen]:
        self.looks += 1
        return {self.event_id: Seen(f"<b>{self.left}</b>", float(self.looks), self.changes_in)}


class Page:
    """An open page: reads its stream as it comes."""

    def __init__(self, stream: AsyncGenerator[bytes, None]) -> None:
        self._stream = stream
        self.heard: list[str] = []
        self.task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for chunk in self._stream:
            if b"<" in chunk:
                self.heard.append(chunk.decode())

    @property
    def shows(self) -> str:
        return re.sub(r"(?m)^(id|retry|data): ?[\d.]*", "", self.heard[-1]).strip() if self.heard else ""

    async def close(self) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


async def real_page(hub: Hub, event: Made) -> Page:
    row = await programme.published(event.slug)
    return Page(hub.stream(event.id, partial(events._look_at_event, row)))


async def test_a_page_gets_what_is_left_at_once(hub):
    shop = Shop()
    page = Page(hub.stream(shop.event_id, shop.look))
    await until(lambda: page.shows == "<b>10</b>")
    assert page.heard[0].startswith("id: 1.0"), "a page that comes back can say what it has seen"
    assert "retry: " in page.heard[0]
    await page.close()


async def test_a_hold_is_on_every_page_within_a_second(hub, database):
    event = await make_event(capacity=9)
    pages = [await real_page(hub, event) for _ in range(3)]
    await until(lambda: all("9 left" in page.shows for page in pages))
    await hold(event, General=4)
    await until(lambda: all("5 left" in page.shows for page in pages), patience=1.0)
    for page in pages:
        assert 'hx-target="#availability" hx-swap="outerMorph"' in page.shows
        assert 'hx-target="#avail-event"' in page.shows
        await page.close()


async def test_a_burst_is_one_look_and_the_latest_state_wins(hub, redis):
    shop = Shop()
    pages = [Page(hub.stream(shop.event_id, shop.look)) for _ in range(5)]
    await until(lambda: all(page.heard for page in pages))
    looks = shop.looks
    for left in range(9, -1, -1):
        shop.left = left
        announcements.announce(shop.event_id)
    await until(lambda: all(page.shows == "<b>0</b>" for page in pages))
    assert shop.looks - looks <= 2, "ten changes at once are one look, or two when they fall on either side of it"
    for page in pages:
        assert len(page.heard) <= 3
        await page.close()


async def test_what_has_not_changed_is_not_sent_again(hub):
    shop = Shop()
    page = Page(hub.stream(shop.event_id, shop.look))
    await until(lambda: page.heard)
    looks = shop.looks
    announcements.announce(shop.event_id)
    await until(lambda: shop.looks > looks)
    await asyncio.sleep(0.05)
    assert len(page.heard) == 1
    await page.close()


async def test_a_change_of_another_event_is_none_of_this_pages_business(hub):
    shop = Shop()
    page = Page(hub.stream(shop.event_id, shop.look))
    await until(lambda: page.heard)
    announcements.announce(uuid.uuid4())
    await asyncio.sleep(0.2)
    assert shop.looks == 1
    await page.close()


async def test_a_slow_page_keeps_no_queue(hub):
    shop = Shop()
    stream = hub.stream(shop.event_id, shop.look)
    assert await anext(stream) == live.HEARTBEAT
    for left in (7, 5, 3):
        shop.left = left
        looks = shop.looks
        announcements.announce(shop.event_id)
        await until(lambda looks=looks: shop.looks > looks)
    assert b"<b>3</b>" in await anext(stream)
    await stream.aclose()


async def test_a_lapsing_hold_shows_with_nobody_announcing_it(hub, database):
    event = await make_event(capacity=2)
    await let_time_run_out(await hold(event, General=2), seconds_ago=-1)
    page = await real_page(hub, event)
    await until(lambda: "All held right now" in page.shows)
    await until(lambda: "2 left" in page.shows, patience=2.5)
    await page.close()


async def test_a_sale_opens_by_itself(hub, database):
    event = await make_event(ticket_type(sales_start=await _in(0.8)))
    page = await real_page(hub, event)
    await until(lambda: "On sale from" in page.shows)
    await until(lambda: "30 left" in page.shows, patience=2.5)
    await page.close()


async def test_an_event_taken_off_sale_says_so_on_open_pages(hub, database):
    from models import database as db

    event = await make_event()
    page = await real_page(hub, event)
    await until(lambda: page.heard)
    await db.execute("UPDATE event SET status = 'DRAFT' WHERE id = $1", event.id)
    announcements.announce(event.id)
    await until(lambda: "not on sale right now" in page.shows)
    await page.close()


async def test_the_list_hears_of_every_event_and_sends_only_what_changed(hub, database):
    one, other = await make_event(capacity=9), await make_event(capacity=9)
    page = Page(hub.stream(events.LIST, events._look_at_list))
    await until(lambda: page.heard)
    assert f"avail-{one.id}" in page.shows
    assert f"avail-{other.id}" in page.shows
    await hold(one, General=4)
    await until(lambda: "5 left" in page.shows)
    assert f"avail-{other.id}" not in page.shows
    await page.close()


async def test_a_list_that_comes_back_gets_only_what_it_missed(hub, database):
    one, other = await make_event(capacity=9), await make_event(capacity=9)
    keeps_it_open = Page(hub.stream(events.LIST, events._look_at_list))
    await until(lambda: keeps_it_open.heard)
    seen_at = (await stock.look([one.id]))[one.id].now.timestamp()
    await hold(one, General=4)
    await until(lambda: "5 left" in keeps_it_open.shows)
    page = Page(hub.stream(events.LIST, events._look_at_list, since=seen_at))
    await until(lambda: page.heard)
    assert f"avail-{one.id}" in page.shows
    assert f"avail-{other.id}" not in page.shows
    await page.close()
    await keeps_it_open.close()


async def test_beyond_the_cap_a_page_is_told_to_poll(redis):
    shop = Shop()
    async with Hub(redis, max_streams=1) as hub:
        page = Page(hub.stream(shop.event_id, shop.look))
        await until(lambda: page.heard)
        with pytest.raises(TooManyStreams):
            hub.stream(shop.event_id, shop.look)
        await page.close()
        await until(lambda: hub.open_streams == 0)
        Page(hub.stream(shop.event_id, shop.look))


async def test_nothing_is_left_of_a_page_that_is_gone(hub):
    shop = Shop()
    page = Page(hub.stream(shop.event_id, shop.look))
    await until(lambda: page.heard)
    await page.close()
    await until(lambda: hub.open_streams == 0 and not hub._topics)
    looks = shop.looks
    announcements.announce(shop.event_id)
    await asyncio.sleep(0.2)
    assert shop.looks == looks, "nobody listens, nobody looks"


async def test_when_the_process_ends_every_stream_ends_at_once(redis):
    shop = Shop()
    async with Hub(redis) as hub:
        pages = [Page(hub.stream(shop.event_id, shop.look)) for _ in range(3)]
        await until(lambda: all(page.heard for page in pages))
        hub.end_streams()
        await asyncio.wait_for(asyncio.gather(*(page.task for page in pages)), 0.5)


async def test_a_look_that_fails_is_tried_again(hub, monkeypatch):
    monkeypatch.setattr(live, "DEAF_SECONDS", 0.1)
    shop = Shop()

    async def look(changed: set[UUID] | None) -> dict[UUID, Seen]:
        if shop.looks == 0:
            shop.looks += 1
            raise ConnectionError
        return await shop.look(changed)

    page = Page(hub.stream(shop.event_id, look))
    await until(lambda: page.shows == "<b>10</b>")
    await page.close()


async def test_without_redis_the_page_still_learns_and_with_it_again_at_once(own_folder, monkeypatch):
    """Redis is killed, changes are found by looking; it comes back on the same port, and changes are heard again."""
    monkeypatch.setattr(live, "DEAF_SECONDS", 0.3)
    server = valkey.start(own_folder)
    shop = Shop()
    client = Redis.from_url(server.url)
    announcements.connect(client)
    async with Hub(client) as hub:
        await until(lambda: hub.hears)
        page = Page(hub.stream(shop.event_id, shop.look))
        await until(lambda: page.heard)
        server.stop()
        await until(lambda: not hub.hears)
        shop.left = 8
        announcements.announce(shop.event_id)
        await until(lambda: page.shows == "<b>8</b>", patience=2)
        port = int(re.search(r":(\d+)/", server.url)[1])
        server = valkey.start(own_folder, port=port)
        await until(lambda: hub.hears, patience=5)
        monkeypatch.setattr(live, "SLOW_SECONDS", 60.0)
        shop.left = 7
        announcements.announce(shop.event_id)
        await until(lambda: page.shows == "<b>7</b>", patience=1)
        await page.close()
    announcements.connect(None)
    await client.aclose()
    server.stop()


async def test_the_answer_is_an_event_stream_that_cleans_up_when_the_browser_goes(app: Litestar, hub, database):
    event = await make_event(capacity=9)
    app.state.hub = hub
    browser = RawBrowser(app, f"/events/{event.slug}/live")
    await until(lambda: "9 left" in browser.text)
    assert browser.headers[b"content-type"].startswith(b"text/event-stream")
    assert browser.headers[b"cache-control"] == b"no-store"
    assert browser.headers[b"x-accel-buffering"] == b"no"
    assert b"content-encoding" not in browser.headers
    assert b"content-security-policy" in browser.headers
    browser.go_away()
    await until(lambda: hub.open_streams == 0)


async def test_a_browser_that_stops_reading_is_forgotten_when_it_goes(app: Litestar, hub, database):
    event = await make_event(capacity=9)
    app.state.hub = hub
    browser = RawBrowser(app, f"/events/{event.slug}/live", reads=1)
    await until(lambda: hub.open_streams == 1)
    await hold(event, General=1)
    await asyncio.sleep(0.2)
    browser.go_away()
    await until(lambda: hub.open_streams == 0)


async def test_a_full_house_answers_503_and_nothing_to_show(app: Litestar, browser, redis):
    event = await make_event()
    async with Hub(redis, max_streams=0) as hub:
        app.state.hub = hub
        answer = await browser.get(f"/events/{event.slug}/live")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert answer.text == ""


class RawBrowser:
    """One request as the server hands it to the application, so that it can stall and go away in the middle."""

    def __init__(self, app: Litestar, path: str, *, reads: int | None = None, cookie: str = "") -> None:
        self.text = ""
        self.headers: dict[bytes, bytes] = {}
        self._reads = reads
        self._gone = asyncio.Event()
        self._asked = False
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "scheme": "http",
            "server": ("shop.localhost", 80),
            "client": ("127.0.0.1", 1),
            "headers": [(b"host", b"shop.localhost"), (b"accept-encoding", b"gzip"), (b"cookie", cookie.encode())],
        }
        self.task = asyncio.create_task(app(scope, self._receive, self._send))  # type: ignore[arg-type]

    def go_away(self) -> None:
        self._gone.set()

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.headers = dict(message["headers"])
            return
        if self._reads is not None and self._reads == 0:
            await asyncio.Event().wait()  # the buffers are full, for ever
        if self._reads is not None:
            self._reads -= 1
        self.text += message["body"].decode()
        if not message.get("more_body"):
            self.go_away()  # a server says so once its answer is whole


async def _in(seconds: float) -> Any:
    from models import database as db

    return await db.fetchval("SELECT clock_timestamp() + make_interval(secs => $1)", seconds)
