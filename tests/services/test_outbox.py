"""The outbox: noted with the change, done at least once, and once only when nobody dies."""

import asyncio
import uuid

import pytest

from models import database as db
from services import lanes, outbox, pace
from services.audit import Actor
from services.gateway import OutcomeUnknown
from services.transaction import transaction
from tasks.worker import WorkerSettings
from tests import mutants
from tests.conftest import until
from tests.makers import let_time_pass

LONGEST_TAKING = lanes.TAKING_SECONDS
pytestmark = pytest.mark.usefixtures("database")


class Killed(BaseException):
    pass


class Worker:
    """Does what it is asked, and remembers."""

    def __init__(self, *, fails=(), takes=0.0):
        self.done, self.fails, self.takes = [], set(fails), takes

    async def handle(self, subject):
        await asyncio.sleep(self.takes)
        if subject in self.fails:
            raise ZeroDivisionError("not today")
        self.done.append(subject)

    async def drain(self, **options):
        return await outbox.drain({"deed": self.handle}, **options)


async def notes(number):
    subjects = [uuid.uuid4() for _ in range(number)]
    for subject in subjects:
        await outbox.write("deed", subject)
    return subjects


async def test_what_is_noted_is_done_once():
    subjects, worker = await notes(3), Worker()
    assert await worker.drain() == 3
    assert sorted(worker.done) == sorted(subjects)
    assert await worker.drain() == 0


async def test_a_note_of_a_change_that_did_not_happen_was_never_written():
    async def fail():
        async with transaction():
            await outbox.write("deed", uuid.uuid4())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await Worker().drain() == 0


async def test_the_same_note_twice_is_one_deed():
    subject, worker = uuid.uuid4(), Worker()
    await outbox.write("deed", subject)
    await outbox.write("deed", subject)
    assert await worker.drain() == 1
    await outbox.write("deed", subject)
    assert await worker.drain() == 0, "not even when it was done long ago"


async def test_a_note_that_somebody_struck_off_is_not_done():
    (subject,) = await notes(1)
    await outbox.strike("deed", subject)
    assert await Worker().drain() == 0


async def _two_drain_at_once():
    await notes(25)
    first, second = Worker(takes=0.02), Worker(takes=0.02)
    await asyncio.gather(first.drain(in_lanes=2), second.drain(in_lanes=2))
    done = first.done + second.done
    assert len(done) == len(set(done)) == 25, "a deed was done twice"
    return first, second


async def test_two_workers_at_once_do_each_deed_once():
    first, second = await _two_drain_at_once()
    assert first.done
    assert second.done


async def test_without_the_lease_two_workers_do_deeds_twice():
    async with mutants.database_after():
        with (
            mutants.breaks("done twice"),
            mutants.sql(
                "ELSE clock_timestamp() + make_interval(secs => $2) END,",
                "ELSE clock_timestamp() + 0 * make_interval(secs => $2) END,",
            ),
        ):
            await _two_drain_at_once()


async def test_a_deed_that_fails_is_tried_again_later_and_does_not_stop_the_others():
    subjects = await notes(3)
    worker = Worker(fails=subjects[:1])
    assert await worker.drain() == 2
    row = await db.fetchrow("SELECT attempts, last_error FROM outbox WHERE subject = $1", subjects[0])
    assert tuple(row) == (1, "ZeroDivisionError('not today')")
    worker.fails.clear()
    assert await worker.drain() == 0, "not at once"
    await let_time_pass(seconds=2)
    assert await worker.drain() == 1
    assert sorted(worker.done) == sorted(subjects)
    assert worker.done[-1] == subjects[0]


async def test_i7_what_never_succeeds_becomes_a_letter_that_stays_in_sight():
    subjects = await notes(1)
    worker = Worker(fails=subjects)
    for _ in range(lanes.MAX_ATTEMPTS):
        await db.execute("UPDATE outbox SET run_at = now()")
        await worker.drain()
    dead = await db.fetchrow("SELECT done_at, attempts, run_at = 'infinity' AS given_up, last_error FROM outbox")
    assert dead["given_up"], "tried for ever, and nobody sees it"
    assert tuple(dead) == (None, lanes.MAX_ATTEMPTS, True, "ZeroDivisionError('not today')")


async def test_i7_what_kills_its_worker_again_and_again_becomes_such_a_letter_too():
    async def handle(_):
        raise Killed

    await notes(1)
    for _ in range(lanes.MAX_ATTEMPTS):
        await db.execute("UPDATE outbox SET run_at = now()")
        with pytest.raises(Killed):
            await outbox.drain({"deed": handle}, in_lanes=1)
    await db.execute("UPDATE outbox SET run_at = now()")
    assert await Worker().drain() == 0, "it will kill every worker there is"
    dead = await db.fetchrow("SELECT done_at, run_at = 'infinity', last_error FROM outbox")
    assert tuple(dead) == (None, True, "begun again and again, and never ended")


async def test_without_an_end_to_its_attempts_a_letter_is_tried_for_ever_unseen():
    async with mutants.database_after():
        with (
            mutants.breaks("nobody sees it"),
            mutants.sql("CASE WHEN attempts >= $3 AND NOT $4 THEN 'infinity'", "CASE WHEN $3 < 0 THEN 'infinity'"),
        ):
            await test_i7_what_never_succeeds_becomes_a_letter_that_stays_in_sight()


async def test_without_counting_what_was_begun_a_letter_kills_its_workers_for_ever():
    async with mutants.database_after():
        with (
            mutants.breaks("kill every worker"),
            mutants.sql(
                "run_at = CASE WHEN attempts >= $1 THEN 'infinity'", "run_at = CASE WHEN $1 < 0 THEN 'infinity'"
            ),
        ):
            await test_i7_what_kills_its_worker_again_and_again_becomes_such_a_letter_too()


async def test_what_takes_longer_than_its_lease_has_failed_before_somebody_else_takes_it(monkeypatch):
    monkeypatch.setattr(lanes, "PIECE_SECONDS", 0.05)
    await notes(1)
    assert await Worker(takes=60).drain() == 0
    row = await db.fetchrow("SELECT attempts, last_error, run_at > now() AND run_at < 'infinity' FROM outbox")
    assert tuple(row) == (1, "TimeoutError()", True)


async def test_no_new_piece_is_taken_that_might_outlive_the_job(monkeypatch):
    monkeypatch.setattr(lanes, "TAKING_SECONDS", 0.0)
    await notes(1)
    assert await Worker().drain() == 0
    assert lanes.PIECE_SECONDS < lanes.LEASE_SECONDS
    assert WorkerSettings.job_timeout > LONGEST_TAKING + lanes.PIECE_SECONDS


async def test_a_provider_that_is_away_is_waited_for_however_long():
    """And one other failure, when it is back, is not the last."""
    answers = [OutcomeUnknown("nobody answers")] * 70 + [ZeroDivisionError("not today")]

    async def handle(_):
        raise answers.pop(0)

    await notes(1)
    while answers:
        await db.execute("UPDATE outbox SET run_at = now()")
        await outbox.drain({"deed": handle}, in_lanes=1)
    attempts, waits = await db.fetchrow("SELECT attempts, run_at < 'infinity' FROM outbox")
    assert waits
    assert attempts < lanes.MAX_ATTEMPTS / 2, "most of its attempts are left"


async def test_waiting_for_the_provider_does_not_count(monkeypatch):
    monkeypatch.setattr(lanes, "PIECE_SECONDS", 0.1)

    async def handle(_):
        pace.allow(60)
        await asyncio.sleep(0.3)

    await notes(1)
    assert await outbox.drain({"deed": handle}) == 1


async def test_pressing_try_again_twice_does_not_do_twice_what_is_in_hand():
    await notes(1)
    note = await db.fetchval("SELECT id FROM outbox")
    await db.execute("UPDATE outbox SET run_at = 'infinity'")
    mira, slow, other = Actor(uuid.UUID(int=1), "Mira"), Worker(takes=0.2), Worker()
    await outbox.try_again(note, actor=mira)
    slowly = asyncio.create_task(slow.drain(in_lanes=1))
    await until(_everything_is_leased)
    await outbox.try_again(note, actor=mira)
    await other.drain()
    await slowly
    assert len(slow.done + other.done) == 1


async def test_an_unknown_kind_of_note_does_not_stop_the_others():
    await outbox.write("of the future", uuid.uuid4())
    await notes(1)
    assert await Worker().drain() == 1


async def test_a_worker_that_is_killed_in_the_middle_loses_nothing():
    subjects, victim, survivor = await notes(3), Worker(), Worker()

    async def handle(subject):
        if victim.done:
            raise Killed
        await victim.handle(subject)

    with pytest.raises(Killed):
        await outbox.drain({"deed": handle}, in_lanes=1)
    assert await survivor.drain() == 1, "the lease of the one in hand has to run out first"
    await let_time_pass(seconds=lanes.LEASE_SECONDS)
    assert await survivor.drain() == 1
    assert sorted(victim.done + survivor.done) == sorted(subjects)


async def test_case_36_a_slow_worker_does_not_do_again_what_another_has_done_meanwhile(monkeypatch):
    """A lease that was taken for a whole batch would run out before the last of it had its turn."""
    monkeypatch.setattr(lanes, "LEASE_SECONDS", 0.3)
    subjects = await notes(4)
    slow, quick = Worker(takes=0.15), Worker()
    slowly = asyncio.create_task(slow.drain())
    await until(_everything_is_leased)
    while not slowly.done():
        await quick.drain()
        await asyncio.sleep(0.02)
    assert sorted(slow.done + quick.done) == sorted(subjects)


async def _everything_is_leased():
    return await db.fetchval("SELECT count(*) FROM outbox WHERE attempts = 0") == 0


async def test_a_letter_that_was_given_up_is_taken_up_at_a_person_s_word():
    subjects, worker = await notes(1), Worker()
    note = await db.fetchval("SELECT id FROM outbox")
    await db.execute("UPDATE outbox SET run_at = 'infinity', attempts = 12, last_error = 'not today'")
    assert await worker.drain() == 0
    for _ in range(2):
        await outbox.try_again(note, actor=Actor(uuid.UUID(int=1), "Mira"))
        await worker.drain()
    await outbox.try_again(note + 1, actor=Actor(uuid.UUID(int=1), "Mira"))
    assert worker.done == subjects
    entries = await db.fetch("SELECT actor_name, action, subject_kind, after::text FROM audit_entry")
    (entry,) = [tuple(found) for found in entries]
    assert entry[:3] == ("Mira", "tried again", "outbox"), "what is done is done, what is not there was not tried"
    assert str(subjects[0]) in entry[3]


async def test_a_letter_that_fails_again_gets_all_its_attempts_anew():
    subjects = await notes(1)
    worker = Worker(fails=subjects)
    await db.execute("UPDATE outbox SET run_at = 'infinity', attempts = 12")
    await outbox.try_again(await db.fetchval("SELECT id FROM outbox"), actor=Actor(None, "Foyer"))
    await worker.drain()
    assert tuple(await db.fetchrow("SELECT attempts, run_at < 'infinity' FROM outbox")) == (1, True)
