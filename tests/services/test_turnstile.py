"""The turnstile alone: order, batches, and nobody who pays for another's mistake. No database."""

import asyncio
import contextvars
import time
import uuid

import asyncpg
import pytest

from domain.errors import NothingChosen, TooBusy
from services.turnstile import Turnstile
from tests.conftest import until

EVENT, OTHER = uuid.uuid4(), uuid.uuid4()


class Till:
    """Serves what it is asked, remembers its batches, and can be held up."""

    def __init__(self):
        self.batches = []
        self.open = asyncio.Event()
        self.open.set()

    async def serve(self, event_id, requests):
        self.batches.append(list(requests))
        await self.open.wait()
        if "poison" in requests:
            raise ZeroDivisionError
        return [NothingChosen() if request == "nothing" else (event_id, request) for request in requests]


@pytest.fixture
def till():
    return Till()


async def enter_all(turnstile, *requests, event=EVENT):
    return await asyncio.gather(*(turnstile.enter(event, r) for r in requests), return_exceptions=True)


async def test_a_lone_request_is_served_at_once(till):
    assert await Turnstile(till.serve).enter(EVENT, "a") == (EVENT, "a")
    assert till.batches == [["a"]]


async def test_what_arrives_meanwhile_forms_the_next_batches_in_order_of_arrival(till):
    numbers = list(range(12))
    answers = await enter_all(Turnstile(till.serve, batch=5), *numbers)
    assert answers == [(EVENT, n) for n in numbers]
    assert till.batches == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11]]


async def test_events_do_not_wait_for_each_other(till):
    turnstile = Turnstile(till.serve)
    till.open.clear()
    waiting = asyncio.create_task(turnstile.enter(EVENT, "a"))
    await asyncio.sleep(0)
    other = asyncio.create_task(turnstile.enter(OTHER, "b"))
    await until(lambda: len(till.batches) == 2)
    assert till.batches == [["a"], ["b"]]
    till.open.set()
    assert await asyncio.gather(waiting, other) == [(EVENT, "a"), (OTHER, "b")]


async def test_a_refusal_is_for_the_one_whom_it_concerns(till):
    answers = await enter_all(Turnstile(till.serve), "a", "nothing", "b")
    assert [type(a) for a in answers] == [tuple, NothingChosen, tuple]


async def test_one_poisoned_request_does_not_hurt_the_others(till):
    answers = await enter_all(Turnstile(till.serve, batch=4), "a", "poison", "b", "c")
    assert [type(a) for a in answers] == [tuple, ZeroDivisionError, tuple, tuple]


async def test_a_buyer_who_has_gone_is_not_served(till):
    turnstile = Turnstile(till.serve)
    till.open.clear()
    first = asyncio.create_task(turnstile.enter(EVENT, "first"))
    gone = asyncio.create_task(turnstile.enter(EVENT, "gone"))
    third = asyncio.create_task(turnstile.enter(EVENT, "third"))
    await until(lambda: till.batches)
    served_together = till.batches[0]
    assert served_together == ["first", "gone", "third"]
    late = asyncio.create_task(turnstile.enter(EVENT, "late"))
    leaves = asyncio.create_task(turnstile.enter(EVENT, "leaves"))
    await asyncio.sleep(0)
    gone.cancel()
    leaves.cancel()
    await asyncio.sleep(0)
    till.open.set()
    assert await asyncio.gather(first, third, late) == [(EVENT, "first"), (EVENT, "third"), (EVENT, "late")]
    assert till.batches[1] == ["late"], "whoever left before their turn is not even asked"


async def test_a_full_queue_says_so_at_once_and_serves_those_who_are_in_it(till):
    turnstile = Turnstile(till.serve, batch=2, bound=3)
    till.open.clear()
    inside = [asyncio.create_task(turnstile.enter(EVENT, n)) for n in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(TooBusy):
        await turnstile.enter(EVENT, "one too many")
    till.open.set()
    assert await asyncio.gather(*inside) == [(EVENT, n) for n in range(3)]
    assert await turnstile.enter(EVENT, "later") == (EVENT, "later")


async def test_an_emptied_queue_leaves_nothing_behind(till):
    turnstile = Turnstile(till.serve)
    await enter_all(turnstile, "a", "poison", "b")
    await asyncio.sleep(0)
    assert turnstile._queues == {}
    assert turnstile._tasks == set()


async def test_whoever_comes_first_does_not_lend_their_context_to_the_others():
    whose = contextvars.ContextVar("whose", default="nobody's")
    seen = []

    async def serve(event_id, requests):
        seen.append(whose.get())
        return requests

    whose.set("the first buyer's")
    await Turnstile(serve).enter(EVENT, "a")
    assert seen == ["nobody's"]


async def test_a_lock_that_is_not_to_be_had_is_not_waited_for_by_each_buyer_in_turn():
    """With two seconds of waiting each, the last of fifty would hear after a hundred (F9)."""
    timeout = 0.02

    async def serve(event_id, requests):
        await asyncio.sleep(timeout)
        raise asyncpg.LockNotAvailableError("canceling statement due to lock timeout")

    started = time.monotonic()
    answers = await enter_all(Turnstile(serve), *range(50))
    assert all(isinstance(answer, Exception) for answer in answers)
    assert time.monotonic() - started < 10 * timeout
