"""Ways to make two things happen in the very order, or at the very moment, that hurts: no luck, no sleeping."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any
from unittest.mock import patch
from uuid import UUID

import asyncpg

from models import database
from services import reservations
from services.reservations import HoldRequest
from services.turnstile import Turnstile
from tests.conftest import until
from tests.makers import Made, key

BLOCKED = """
    SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


async def hold_at_another_till(event: Made, request_key: str | None = None, **quantities: int) -> UUID:
    """As from another web process: a turnstile of its own, which knows nothing of the others."""
    request = HoldRequest(request_key or key(), event.wish(**(quantities or {"General": 1})))
    checkout_id = await Turnstile(reservations._serve).enter(event.id, request)
    assert isinstance(checkout_id, UUID)
    return checkout_id


def rendezvous(parties: int, *, patience: float = 0.25) -> Callable[[], Awaitable[None]]:
    """Wait until so many have come here. Whoever is kept away by a lock is waited for in vain, for `patience`."""
    arrived, all_here = 0, asyncio.Event()

    async def wait() -> None:
        nonlocal arrived
        arrived += 1
        if arrived >= parties:
            all_here.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await all_here.wait()

    return wait


@contextmanager
def after_statement(fragment: str, then: Callable[[], Awaitable[None]]) -> Iterator[None]:
    """Do `then` each time a statement with `fragment` in it has been answered."""
    honest, met = database._run, 0

    async def run(method: str, statement: str, *args: Any) -> Any:
        nonlocal met
        answer = await honest(method, statement, *args)
        if fragment in statement:
            met += 1
            await then()
        return answer

    with patch.object(database, "_run", run):
        yield
        assert met, f"no statement contains {fragment!r}: nothing was interleaved"


@contextmanager
def before(place: Any, name: str, first: Callable[[], Awaitable[None]]) -> Iterator[None]:
    """Do `first` each time `place.name` is about to run."""
    honest = getattr(place, name)

    async def run(*args: Any, **kwargs: Any) -> Any:
        await first()
        return await honest(*args, **kwargs)

    with patch.object(place, name, run):
        yield


@asynccontextmanager
async def lock_held(event_id: UUID) -> AsyncIterator[asyncpg.Connection]:
    """Somebody else, on a connection of their own, is in the middle of a transaction about this event."""
    connection = await database.engine().get_new_connection()
    try:
        async with connection.transaction():
            await connection.execute("SELECT 1 FROM event WHERE id = $1 FOR NO KEY UPDATE", event_id)
            yield connection
    finally:
        await connection.close()


async def waiting_for_a_lock(number: int) -> None:
    """Wait until so many of our connections wait for somebody's lock."""

    async def blocked() -> bool:
        return await database.fetchval(BLOCKED) >= number

    await until(blocked)


async def in_this_order(event_id: UUID, *deeds: Callable[[], Awaitable[Any]]) -> list[Any]:
    """Let all of them queue for the event's lock, the first first, then let go. Returns outcomes, errors included."""
    tasks: list[asyncio.Future] = []
    async with lock_held(event_id):
        for deed in deeds:
            tasks.append(asyncio.ensure_future(deed()))
            await waiting_for_a_lock(len(tasks))
    return await asyncio.gather(*tasks, return_exceptions=True)
