"""The turnstile: requests for one event queue up, and one transaction serves a whole batch in order of arrival.

A lone request pays no extra wait: serving starts at once, and whatever arrives meanwhile forms the next batch. So a
burst costs one lock and one commit for fifty buyers, and those who come too late cost nothing.
"""

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from uuid import UUID

import asyncpg

from domain.errors import TooBusy

BATCH = 50
# The lock is not to be had, or the database is away: it would be the same for each one alone, one after the other.
NOBODYS_FAULT = (
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)
BOUND = 5_000  # waiting requests for one event; beyond it a buyer is told to try again


Request = TypeVar("Request")
Answer = TypeVar("Answer")
Serve = Callable[[UUID, list[Request]], Awaitable[list[Answer | Exception]]]


@dataclass(slots=True)
class Ask(Generic[Request, Answer]):
    """One request in the queue. `answer` is set with what serving it returned, or the refusal it raised."""

    request: Request
    answer: asyncio.Future[Answer] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Turnstile(Generic[Request, Answer]):
    def __init__(self, serve: Serve[Request, Answer], *, batch: int = BATCH, bound: int = BOUND) -> None:
        """`serve(event_id, requests)` answers a batch: one outcome per request, in the same order."""
        self._serve = serve
        self._batch = batch
        self._bound = bound
        self._queues: dict[UUID, deque[Ask[Request, Answer]]] = {}
        self._tasks: set[asyncio.Task] = set()

    async def enter(self, event_id: UUID, request: Request) -> Answer:
        """Wait for one's turn and return the outcome. Raises the refusal, or TooBusy when the queue is full."""
        queue = self._queues.get(event_id)
        if queue is None:
            queue = self._queues[event_id] = deque()
            self._start(event_id, queue)
        if len(queue) >= self._bound:
            raise TooBusy
        ask: Ask[Request, Answer] = Ask(request)
        queue.append(ask)
        return await ask.answer

    def _start(self, event_id: UUID, queue: deque[Ask[Request, Answer]]) -> None:
        # A context of its own: the task must not inherit a transaction from whoever happened to come first.
        task = asyncio.create_task(self._empty(event_id, queue), context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _empty(self, event_id: UUID, queue: deque[Ask[Request, Answer]]) -> None:
        try:
            while queue:
                asks = [queue.popleft() for _ in range(min(self._batch, len(queue)))]
                await self._serve_batch(event_id, [ask for ask in asks if not ask.answer.done()])
        finally:
            del self._queues[event_id]

    async def _serve_batch(self, event_id: UUID, asks: list[Ask[Request, Answer]]) -> None:
        if not asks:
            return
        try:
            outcomes = await self._serve(event_id, [ask.request for ask in asks])
        except NOBODYS_FAULT as error:
            for ask in asks:
                _answer(ask, error)
        except Exception:
            # Whatever broke the batch may be the fault of one request: the others must not pay for it.
            for ask in asks:
                await self._serve_alone(event_id, ask)
        else:
            for ask, outcome in zip(asks, outcomes, strict=True):
                _answer(ask, outcome)

    async def _serve_alone(self, event_id: UUID, ask: Ask[Request, Answer]) -> None:
        try:
            (outcome,) = await self._serve(event_id, [ask.request])
        except Exception as error:
            _answer(ask, error)
        else:
            _answer(ask, outcome)


def _answer(ask: Ask[Request, Answer], outcome: Answer | Exception) -> None:
    if ask.answer.done():  # the buyer has gone; the hold, if any, waits for a retry with the same key
        return
    if isinstance(outcome, Exception):
        ask.answer.set_exception(outcome)
    else:
        ask.answer.set_result(outcome)
