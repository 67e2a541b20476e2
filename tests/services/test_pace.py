"""The pace of our questions: never more than was set, in a fair order, and never in the way of a payment."""

import asyncio
import os
import sys
import time
from contextlib import asynccontextmanager
from statistics import median

import pytest

from models import database as db
from services import gateway, pace, settlement
from services.gateway import OutcomeUnknown
from services.transaction import transaction
from tests import mutants
from tests.conftest import ROOT, until
from tests.faults.interleaving import after_statement
from tests.makers import buy, hold_with_buyer, make_event, start_paying

pytestmark = pytest.mark.usefixtures("database")

SOON = 0.3  # less than this is no wait, on a busy machine


@pytest.fixture(autouse=True)
def back_to_no_pace():
    yield
    pace.use_rate(0)


@pytest.fixture
async def reference(stripe):
    return (await start_paying(await hold_with_buyer(await make_event()))).reference


async def ask(reference):
    """A call of its own: who asks the same at the same time would share one."""
    return await gateway.current()._retrieve(reference)


async def timed(call):
    begun = time.monotonic()
    await call
    return time.monotonic() - begun


def turns(number):
    return [pace.wait_for_turn() for _ in range(number)]


class counted:
    """How often a statement with this in it is sent."""

    def __init__(self, fragment):
        self.times = 0
        self._watch = after_statement(fragment, self._count)

    async def _count(self):
        self.times += 1

    def __enter__(self):
        self._watch.__enter__()
        return self

    def __exit__(self, *error):
        self._watch.__exit__(*error)


@asynccontextmanager
async def line_of(seconds, lane=pace.CALLS):
    """So many seconds of turns have been taken by others."""
    await db.execute(
        """INSERT INTO pace (lane, next_at) VALUES ($1, clock_timestamp() + make_interval(secs => $2))
           ON CONFLICT (lane) DO UPDATE SET next_at = excluded.next_at, taken_at = excluded.taken_at""",
        lane,
        seconds,
    )
    yield


# Never more than was set


async def test_without_a_rate_nobody_waits_and_nothing_is_written(reference):
    await asyncio.gather(*turns(50))
    assert await pace.place_in_line() is None
    assert await pace.line_ahead() == 0
    await pace.slow_down()
    assert await db.fetchval("SELECT count(*) FROM pace") == 0


async def test_turns_come_one_after_the_other_at_the_rate():
    pace.use_rate(50)
    assert await timed(pace.wait_for_turn()) < SOON, "the first one is at once"
    took = await timed(asyncio.gather(*turns(25)))
    assert took > 24 / 50, "25 turns at 50 a second"


async def test_what_was_not_used_is_not_saved_up():
    pace.use_rate(100)
    await pace.wait_for_turn()
    await asyncio.sleep(0.3)
    assert await timed(asyncio.gather(*turns(20))) > 19 / 100


@asynccontextmanager
async def another_process(postgres_url, *args):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.services.another_caller", *map(str, args),
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), "DATABASE_URL": postgres_url},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert await process.stdout.readline() == b"ready\n"
    yield process
    await process.wait()


async def _two_processes_ask_as_fast_as_they_may(rate, stripe, stripe_url, postgres_url, reference):
    """Returns the provider's busiest second and how many calls it answered."""
    async with another_process(postgres_url, rate, 40, stripe_url, reference) as other:
        other.stdin.write(b"go\n")
        ours = await asyncio.gather(*(ask(reference) for _ in range(40)), return_exceptions=True)
        theirs = int(await other.stdout.readline())
    answered = theirs + sum(not isinstance(answer, Exception) for answer in ours)
    return (await stripe.state())["rate"]["peak_per_second"], answered


async def test_two_processes_together_never_ask_more_than_the_rate_in_any_second(
    stripe, stripe_url, postgres_url, reference
):
    pace.use_rate(25)
    peak, answered = await _two_processes_ask_as_fast_as_they_may(25, stripe, stripe_url, postgres_url, reference)
    assert answered == 80
    assert peak <= 30, "a busy machine uses a turn late and the next one on time: a fifth of air, as to Stripe's limit"


async def test_without_pace_they_do(stripe, stripe_url, postgres_url, reference):
    peak, _ = await _two_processes_ask_as_fast_as_they_may(0, stripe, stripe_url, postgres_url, reference)
    assert peak > 35, "otherwise the test above proves nothing"


async def test_with_a_line_of_its_own_each_process_asks_at_the_full_rate(
    stripe, stripe_url, postgres_url, reference, monkeypatch
):
    pace.use_rate(25)
    monkeypatch.setattr(pace, "CALLS", "ours alone")
    peak, _ = await _two_processes_ask_as_fast_as_they_may(25, stripe, stripe_url, postgres_url, reference)
    assert peak > 35


async def test_every_attempt_takes_a_turn_the_second_one_of_the_sdk_too(stripe, reference):
    pace.use_rate(1000)
    with counted(pace.TAKE) as taken:
        await ask(reference)
        assert taken.times == 1
        await stripe.fault(op="payment_intents.retrieve", mode="drop_before")
        await ask(reference)
        assert taken.times == 3


async def test_a_whole_purchase_takes_its_turns(stripe):
    pace.use_rate(1000)
    with counted(pace.TAKE) as taken:
        await buy(await make_event(), stripe)
    calls = [c for c in (await stripe.state())["calls"] if c["by"] == "server"]
    assert taken.times == len(calls) + 1, "and one place among those who start"
    assert len(calls) == pace.CALLS_PER_PURCHASE


# Who is before whom


async def test_one_call_in_three_may_start_a_purchase():
    pace.use_rate(60)
    waits = [(await pace.place_in_line()).wait for _ in range(41)]
    assert 1.5 < waits[-1] <= 2.0, "forty starts are 120 calls: two seconds"
    assert waits == sorted(waits)


async def test_whoever_has_paid_is_not_behind_a_hundred_who_want_to_start(stripe):
    event = await make_event(capacity=5)
    intent = await start_paying(await hold_with_buyer(event))
    await stripe.pay(intent.client_secret)
    pace.use_rate(50)
    await asyncio.gather(*(pace.place_in_line() for _ in range(100)))
    assert (await pace.place_in_line()).wait > 5
    assert await timed(settlement.settle(intent.reference)) < 1
    assert await db.fetchval("SELECT status FROM orders") == "COMPLETED"


async def test_the_line_ahead_is_that_of_the_calls():
    pace.use_rate(20)
    assert await pace.line_ahead() == 0
    async with line_of(7):
        assert 6 < await pace.line_ahead() <= 7
    await db.execute("DELETE FROM pace")
    async with line_of(7, pace.STARTS):
        assert await pace.line_ahead() == 0


async def test_what_nobody_waits_for_yields_to_who_does():
    """Both want more than there is; buyers notice nothing of what runs in the background."""
    pace.use_rate(50)
    finished = []

    async def background():
        with pace.in_background():
            await pace.wait_for_turn()
        finished.append("background")

    async def buyer():
        await pace.wait_for_turn()
        finished.append("buyer")

    async with line_of(0.1):
        await asyncio.gather(*(background() for _ in range(3)), *(buyer() for _ in range(20)))
    assert finished[:20] == ["buyer"] * 20


async def test_the_background_is_never_starved(monkeypatch):
    monkeypatch.setattr(pace, "BACKGROUND_PATIENCE_SECONDS", 0.3)
    pace.use_rate(20)
    enough = asyncio.Event()

    async def buyers_without_end():
        while not enough.is_set():
            await asyncio.gather(*turns(10))

    async def background():
        with pace.in_background():
            await pace.wait_for_turn()

    async with line_of(0.5):
        rush = [asyncio.ensure_future(buyers_without_end()) for _ in range(2)]
        async with asyncio.timeout(8):
            await asyncio.gather(*(background() for _ in range(3)))
        enough.set()
        await asyncio.gather(*rush)


async def test_when_nobody_waits_the_background_has_the_whole_rate():
    pace.use_rate(50)
    with pace.in_background():
        took = await timed(asyncio.gather(*turns(25)))
    assert 24 / 50 < took < pace.BACKGROUND_PATIENCE_SECONDS


async def test_what_a_background_deed_starts_is_background_too_and_what_follows_it_is_not():
    pace.use_rate(1000)
    with counted(pace.TAKE_IF_FREE) as free:
        with pace.in_background():
            await asyncio.gather(*turns(3))
        assert free.times >= 3
        before = free.times
        await pace.wait_for_turn()
        assert free.times == before


# Too much, for the provider


async def test_after_a_429_nobody_asks_for_a_second(stripe, reference):
    pace.use_rate(100)
    await stripe.fault(op="payment_intents.retrieve", mode="429")
    with pytest.raises(OutcomeUnknown):
        await ask(reference)
    assert 0.6 < await pace.line_ahead() <= 1
    assert await timed(ask(reference)) > 0.6


async def test_a_429_in_a_long_line_does_not_make_it_longer(stripe, reference):
    pace.use_rate(100)
    await pace.wait_for_turn()
    async with line_of(5):
        for _ in range(20):
            await pace.slow_down()
        assert await pace.line_ahead() <= 5


async def test_a_provider_that_allows_less_than_was_set_is_still_answered_in_the_end(stripe, reference):
    pace.use_rate(100)
    await stripe.fault(op="*", mode="rate", per_second=20)

    async def until_answered():
        while True:
            try:
                return await ask(reference)
            except OutcomeUnknown:
                continue

    async with asyncio.timeout(20):
        await asyncio.gather(*(until_answered() for _ in range(40)))
    refused = (await stripe.state())["rate"]["refused"]
    await stripe.fault(op="*", mode="none")
    assert refused < 120, "each refusal makes everybody wait; nobody hammers"


# Never in the way


async def _clock_is_set_back(*, minutes):
    """Everything that was written lies in the future now."""
    later = "+ make_interval(mins => $1)"
    await db.execute(f"UPDATE pace SET next_at = next_at {later}, taken_at = taken_at {later}", minutes)


@pytest.mark.parametrize("minutes", [16, 600])
async def test_a_clock_that_was_set_back_makes_nobody_wait(stripe, reference, minutes):
    pace.use_rate(50)
    await pace.wait_for_turn()
    await pace.place_in_line()
    await _clock_is_set_back(minutes=minutes)
    assert await pace.line_ahead() < SOON
    async with asyncio.timeout(10):
        await ask(reference)
        assert (await pace.place_in_line()).wait < SOON
        assert await timed(asyncio.gather(*turns(25))) > 24 / 50, "and the rate is kept"


async def test_a_clock_that_was_set_back_leaves_the_line_as_long_as_it_was():
    pace.use_rate(20)
    async with line_of(3):
        await pace.place_in_line()
        await _clock_is_set_back(minutes=60)
        assert 2 < await pace.line_ahead() <= 3
        turn = await pace._take(pace.CALLS, 0.05)
        assert 2 < turn.wait <= 3.1


@pytest.mark.parametrize("minutes", [-16, -600])
async def test_a_clock_that_was_set_forward_makes_nobody_wait(minutes):
    pace.use_rate(50)
    async with line_of(20):
        await _clock_is_set_back(minutes=minutes)
    assert await timed(pace.wait_for_turn()) < SOON


async def test_a_line_that_was_lost_begins_anew(stripe, reference):
    """The table is not logged: a crash of the database empties it."""
    pace.use_rate(50)
    async with line_of(60):
        await db.execute("DELETE FROM pace")
    assert await timed(ask(reference)) < 1
    assert await db.fetchval("SELECT count(*) FROM pace") == 1


async def test_those_who_wait_hold_no_connection(reference):
    pace.use_rate(50)
    async with line_of(1.5):
        waiting = [asyncio.ensure_future(pace.wait_for_turn()) for _ in range(40)]  # the pool has ten
        await until(_taken(40, since=1.5))
        looks = [await timed(db.fetchval("SELECT 1")) for _ in range(20)]
        assert median(looks) < 0.1
        assert not any(task.done() for task in waiting)
    await asyncio.gather(*waiting)


def _taken(number, *, since):
    async def taken():
        return await pace.line_ahead() > number / 50

    return taken


async def test_a_row_that_somebody_holds_costs_a_moment_and_no_payment(stripe, reference):
    pace.use_rate(50)
    await pace.wait_for_turn()
    stuck = await db.engine().get_new_connection()
    try:
        async with stuck.transaction():
            await stuck.execute("SELECT 1 FROM pace FOR UPDATE")
            assert await timed(ask(reference)) < 4, "a lock is waited for two seconds"
    finally:
        await stuck.close()


async def test_a_line_that_cannot_be_seen_at_all_stops_no_purchase(stripe):
    async with mutants.database_after("DROP TABLE pace"):
        pace.use_rate(50)
        await buy(await make_event(), stripe)
        assert await db.fetchval("SELECT status FROM orders") == "COMPLETED"
        with pace.in_background():
            pass
        assert await pace.line_ahead() == 0


async def test_an_answer_is_not_lost_because_the_line_could_not_be_slowed_down(stripe, reference):
    await stripe.fault(op="payment_intents.retrieve", mode="429")
    async with mutants.database_after("DROP TABLE pace"):
        pace.use_rate(50)
        with pytest.raises(OutcomeUnknown):
            await ask(reference)


async def test_the_provider_is_never_asked_while_locks_are_held(reference):
    pace.use_rate(0)
    async with transaction():
        with pytest.raises(AssertionError, match="locks are held"):
            await ask(reference)
