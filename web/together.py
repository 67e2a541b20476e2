"""Looking together: those who ask while somebody is looking get the next look, all of them the same one.

Nobody gets an answer that was begun before they asked, so nothing is ever stale; yet a thousand visitors of one event
cost its database and its templates no more than one visitor after the other.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Found = TypeVar("Found")


class Together(Generic[Key, Found]):
    def __init__(self, look: Callable[[Key], Awaitable[Found]]) -> None:
        """`look` only reads. What it returns is shared: nobody may change it. What it raises, everybody gets."""
        self._look = look
        self._next: dict[Key, asyncio.Task[Found]] = {}
        self._looking: dict[Key, asyncio.Task[Found]] = {}

    async def __call__(self, key: Key) -> Found:
        task = self._next.get(key)
        if task is None:
            task = asyncio.create_task(self._take_turn(key, self._looking.get(key)), context=contextvars.Context())
            task.add_done_callback(_seen)
            self._next[key] = task
        # One visitor who leaves must not take the look away from the others.
        return await asyncio.shield(task)

    async def _take_turn(self, key: Key, before: asyncio.Task[Found] | None) -> Found:
        if before is not None:
            await asyncio.wait([before])
        self._looking[key] = self._next.pop(key)
        try:
            return await self._look(key)
        finally:
            # The next one may have its turn already: then the place is theirs.
            if self._looking.get(key) is asyncio.current_task():
                del self._looking[key]


def _seen(task: asyncio.Task) -> None:
    """An error that nobody waits for any more is no news."""
    if not task.cancelled():
        task.exception()
