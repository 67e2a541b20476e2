"""Live pages: one subscription per process, one look and one rendering per change, the same bytes for every open page.

A *change* says only which event. Whoever shows it looks again. Nothing here is a fact: the hold decides. The latest
state wins: a page that is slow or gone keeps no queue, only what it has not been sent yet.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog
from litestar import MediaType, Request, Response
from litestar.background_tasks import BackgroundTask
from litestar.response import Stream as StreamedAnswer
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from services.live import CHANNEL

MAX_STREAMS = 5_000
HEARTBEAT_SECONDS = 15.0
# A stream ends now and then, so that pages spread over the processes again; each at another moment.
LIFETIME_SECONDS = (300.0, 600.0)
# Changes come in bursts: wait a little and look once. Longer when many pages are told, but always within a second.
WINDOW_SECONDS, WINDOW_PER_STREAM, LONGEST_WINDOW = 0.06, 0.0002, 0.7
# Without Redis nobody tells us: look again by ourselves, as long as somebody is listening.
DEAF_SECONDS = 2.0
# Even with it, in case a word was lost.
SLOW_SECONDS = 20.0
# A silent Redis is asked whether it is there, and given up when it says nothing: it may be frozen.
ASK_SECONDS, GIVE_UP_SECONDS = 2.0, 5.0
# What changes by itself at a moment is looked at just after it.
AFTER_SECONDS = 0.05

# A comment for proxies, an event for the page: when it hears nothing for long, the line is dead.
HEARTBEAT = b": still here\nevent: beat\ndata: .\n\n"

log = structlog.get_logger("live")


class TooManyStreams(Exception):
    """This process has as many open streams as it may; the page polls instead."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look found: the markup to send, and in how many seconds it changes by itself.

    `as_of` is the database's clock at the look, in seconds.
    """

    body: str
    as_of: float
    changes_in: float | None = None


# What a part of a topic is called: the id of an event, or the name of a region of the page. Only its look knows.
Part = Any
# Given what may have changed (None: everything), what there is to show. A change of an event says its id; what was
# due to change by itself says the name of its part.
Look = Callable[[set[Part] | None], Awaitable[Mapping[Part, Seen]]]
# Whether somebody may go on listening.
Welcome = Callable[[], Awaitable[bool]]


@dataclass(slots=True, eq=False)
class Stream:
    """One open page. `unsent`: the latest of each part that it has not been sent."""

    unsent: dict[Part, bytes] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def give(self, parts: dict[Part, bytes]) -> None:
        self.unsent |= parts
        self.news.set()

    def take(self) -> bytes:
        body = b"".join(self.unsent.values())
        self.unsent = {}
        self.news.clear()
        return body


class Topic:
    """What several pages show alike: one event, or the list of all. It lives as long as somebody listens."""

    def __init__(self, hub: "Hub", look: Look) -> None:
        self._hub = hub
        self._look = look
        self._parts: dict[Part, bytes] = {}
        self._changed_at: dict[Part, float] = {}
        self._due: dict[Part, float] = {}
        self._stale: set[Part] | None = None  # None: everything
        self._looked_at_all = 0.0
        self._wake = asyncio.Event()
        self.streams: set[Stream] = set()
        self.as_of = 0.0

    def changed(self, part: Part | None) -> None:
        """Look again, at one event or part, or at everything."""
        if part is None:
            self._stale = None
        elif self._stale is not None:
            self._stale.add(part)
        self._wake.set()

    def join(self, since: float | None) -> Stream:
        """A new stream begins with all there is, or with what has changed since the page was made."""
        stream = Stream()
        self.streams.add(stream)
        parts = {k: p for k, p in self._parts.items() if since is None or self._changed_at[k] > since}
        if parts:
            stream.give(parts)
        return stream

    async def run(self) -> None:
        while True:
            try:
                await self._look_again()
                await self._rest()
            except Exception as error:
                # Whatever it is, a topic that stopped would freeze its pages without a word. Most likely the database
                # is away for a moment. Pages keep what they show and learn the rest later.
                log.warning("could not look", error=repr(error))
                self._stale = None
                await asyncio.sleep(DEAF_SECONDS)

    async def _look_again(self) -> None:
        stale, self._stale = self._stale, set()
        self._wake.clear()
        found = await self._look(stale)
        now = time.monotonic()
        if stale is None:
            self._looked_at_all = now
        news: dict[Part, bytes] = {}
        for key, seen in found.items():
            self.as_of = max(self.as_of, seen.as_of)
            body = frame(seen.body)
            if self._parts.get(key) != body:
                self._parts[key] = news[key] = body
                self._changed_at[key] = seen.as_of
            if seen.changes_in is not None:
                self._due[key] = now + seen.changes_in + AFTER_SECONDS
        if news:
            for stream in self.streams:
                stream.give(news)

    async def _rest(self) -> None:
        """Until something changes, is due to change, or might have changed unheard."""
        again_at = self._looked_at_all + (SLOW_SECONDS if self._hub.hears else DEAF_SECONDS)
        until = min([again_at, *self._due.values()])
        try:
            async with asyncio.timeout(max(0.0, until - time.monotonic())):
                await self._wake.wait()
        except TimeoutError:
            now = time.monotonic()
            due = [key for key, moment in self._due.items() if moment <= now]
            for key in due:
                del self._due[key]
                self.changed(key)
            if again_at <= now:
                self.changed(None)
        else:
            await asyncio.sleep(min(LONGEST_WINDOW, WINDOW_SECONDS + WINDOW_PER_STREAM * len(self.streams)))


class Hub:
    """All live pages of this process. `async with Hub(redis):` listens for changes."""

    def __init__(self, redis: Redis, *, max_streams: int = MAX_STREAMS) -> None:
        self._redis = redis
        self._max_streams = max_streams
        self._topics: dict[Hashable, tuple[Topic, asyncio.Task[None]]] = {}
        self._count = 0
        self._closing = asyncio.Event()
        self.hears = False

    async def __aenter__(self) -> "Hub":
        self._ear = asyncio.create_task(self._listen(), name="live hub")
        return self

    async def __aexit__(self, *_: object) -> None:
        self.end_streams()
        tasks = [self._ear, *(task for _, task in self._topics.values())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def open_streams(self) -> int:
        return self._count

    def end_streams(self) -> None:
        """Say goodbye to every page; they come back, to another process."""
        self._closing.set()
        for topic, _ in self._topics.values():
            for stream in topic.streams:
                stream.news.set()

    def stream(
        self, key: Hashable, look: Look, *, since: float | None = None, welcome: Welcome | None = None
    ) -> AsyncGenerator[bytes, None]:
        """The bytes of one page's stream. `key` says what is shown: an event's id, a name for what all of them show,
        or both, (name, id), when an event has more than one live page. `welcome` is asked before anything is sent.

        Raises TooManyStreams at once, not when the first byte is asked for.
        """
        if self._count >= self._max_streams or self._closing.is_set():
            raise TooManyStreams
        return self._flow(key, look, since, welcome)

    async def _flow(
        self, key: Hashable, look: Look, since: float | None, welcome: Welcome | None
    ) -> AsyncGenerator[bytes, None]:
        self._count += 1
        topic = self._topic(key, look)
        stream = topic.join(since)
        ends_at = time.monotonic() + random.uniform(*LIFETIME_SECONDS)
        try:
            yield HEARTBEAT  # the head of the answer goes out with the first byte
            while time.monotonic() < ends_at:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        await stream.news.wait()
                if self._closing.is_set() or not await _is_welcome(welcome):
                    return
                body = stream.take()
                yield message(body, as_of=topic.as_of) if body else HEARTBEAT
        finally:
            self._count -= 1
            self._leave(key, topic, stream)

    def _topic(self, key: Hashable, look: Look) -> Topic:
        if key not in self._topics:
            topic = Topic(self, look)
            self._topics[key] = topic, asyncio.create_task(topic.run(), name=f"live {key}")
        return self._topics[key][0]

    def _leave(self, key: Hashable, topic: Topic, stream: Stream) -> None:
        topic.streams.discard(stream)
        if not topic.streams and key in self._topics:
            self._topics.pop(key)[1].cancel()

    async def _listen(self) -> None:
        """Hear of changes for ever. Redis may go and come back: whatever was missed, everything is looked at again."""
        patience = 0.05
        while True:
            try:
                async with self._redis.pubsub() as channel:
                    await channel.subscribe(CHANNEL)
                    await self._hear(channel)
            except Exception as error:
                # Anything: a hub that died would freeze every open page without a word.
                log.warning("cannot hear changes", error=repr(error))
            self._set_hearing(False)
            await asyncio.sleep(patience)
            patience = min(patience * 2, DEAF_SECONDS)

    async def _hear(self, channel: PubSub) -> None:
        heard = time.monotonic()
        while True:
            said = await channel.get_message(timeout=1.0)
            if said:
                heard = time.monotonic()
                if said["type"] == "message":
                    self._tell(UUID(bytes=said["data"]))
                else:
                    self._set_hearing(True)
            elif time.monotonic() - heard > GIVE_UP_SECONDS:
                raise TimeoutError("Redis does not answer")
            elif time.monotonic() - heard > ASK_SECONDS:
                await channel.ping()

    def _set_hearing(self, hears: bool) -> None:
        if hears != self.hears:
            self.hears = hears
            self._tell(None)

    def _tell(self, event_id: UUID | None) -> None:
        """The list hears of every event, an event's page only of its own."""
        for key, (topic, _) in self._topics.items():
            if event_id is None or _event_of(key) in (None, event_id):
                topic.changed(event_id)


def answer(
    request: Request, key: Hashable, look: Look, *, since: float | None = None, welcome: Welcome | None = None
) -> Response[Any]:
    """The stream as an answer; 503 when there are too many: the page polls meanwhile."""
    hub: Hub = request.app.state.hub
    try:
        body = hub.stream(key, look, since=since, welcome=welcome)
    except TooManyStreams:
        headers = {"Retry-After": "5", "Cache-Control": "no-store"}
        return Response("", status_code=503, headers=headers, media_type=MediaType.TEXT)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamedAnswer(
        body, media_type="text/event-stream", headers=headers, background=BackgroundTask(_close, body)
    )


def since(request: Request) -> float | None:
    """The moment from which a page wants to hear: when it was made, or what it was told last."""
    said = request.headers.get("last-event-id") or request.query_params.get("since")
    try:
        moment = float(said or "")
    except ValueError:
        return None
    return moment if 0 < moment < 1e12 else None


async def _is_welcome(welcome: Welcome | None) -> bool:
    """Whom we cannot ask about is not told: the page comes back, and meets the guard."""
    try:
        return welcome is None or await welcome()
    except Exception as error:
        log.warning("cannot ask whether a listener is still welcome", error=repr(error))
        return False


async def _close(body: AsyncGenerator[bytes, None]) -> None:
    """By hand: a page that goes away while it is not reading would leave the generator where it stands."""
    await body.aclose()


def _event_of(key: Hashable) -> UUID | None:
    """Which event a topic is about; None when it is about all of them."""
    parts = key if isinstance(key, tuple) else (key,)
    return next((part for part in parts if isinstance(part, UUID)), None)


def frame(body: str) -> bytes:
    """Markup as the data lines of a message; parts framed alone can be sent together."""
    return b"".join(b"data: " + line.encode() + b"\n" for line in body.splitlines() if line.strip())


def message(parts: bytes, *, as_of: float) -> bytes:
    """One message. Its id lets a page that comes back ask only for what it missed."""
    return b"id: %.6f\nretry: %d\n" % (as_of, random.randint(1500, 4000)) + parts + b"\n"
