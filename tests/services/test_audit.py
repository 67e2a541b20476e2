"""Who did what: written with the change itself, or not at all, and never changed."""

import asyncio
import json
import uuid
from datetime import UTC, datetime

import pytest

from domain.refunds import RefundReason
from models import database as db
from services import audit
from services.audit import SYSTEM, Actor
from services.transaction import transaction

pytestmark = pytest.mark.usefixtures("database")

MIRA = Actor(uuid.uuid4(), "Mira Žagar")


async def entries():
    return await db.fetch("SELECT * FROM audit_entry ORDER BY id")


async def test_i8_an_entry_says_who_did_what_to_what_from_what_to_what():
    subject = uuid.uuid4()
    await audit.write(MIRA, "capacity changed", "event", subject, before={"X": 30}, after={"X": 40})
    (entry,) = await entries()
    assert (entry["actor_id"], entry["actor_name"]) == (MIRA.id, "Mira Žagar")
    assert (entry["action"], entry["subject_kind"], entry["subject_id"]) == ("capacity changed", "event", str(subject))
    assert (json.loads(entry["before"]), json.loads(entry["after"])) == ({"X": 30}, {"X": 40})
    assert abs((datetime.now(UTC) - entry["created_at"]).total_seconds()) < 60


async def test_what_the_house_does_by_itself_has_its_name():
    await audit.write(SYSTEM, "refund found", "refund", "re_1")
    (entry,) = await entries()
    assert (entry["actor_id"], entry["actor_name"]) == (None, "Foyer")
    assert (entry["before"], entry["after"]) == ("{}", "{}")


async def test_i8_an_entry_stands_and_falls_with_what_it_is_about():
    async def change_and_fail():
        async with transaction():
            await audit.write(MIRA, "changed", "event", "1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await change_and_fail()
    assert await entries() == []


async def test_what_json_does_not_know_is_written_as_words():
    when, which = datetime(2026, 12, 1, 20, tzinfo=UTC), uuid.uuid4()
    await audit.write(MIRA, "changed", "event", "1", after={"at": when, "id": which, "why": RefundReason.GOODWILL})
    ((after,),) = await db.fetch("SELECT after FROM audit_entry")
    assert json.loads(after) == {"at": str(when), "id": str(which), "why": "GOODWILL"}


async def test_what_people_write_is_kept_to_the_letter():
    words = "“Zoë”\n\\ '; DROP TABLE event; -- 🎟 {}"
    await audit.write(MIRA, "noted", "order", "1", after={words: words})
    ((after,),) = await db.fetch("SELECT after FROM audit_entry")
    assert json.loads(after) == {words: words}


async def test_entries_come_in_the_order_of_their_writing_for_each_subject():
    for number in range(5):
        await audit.write(MIRA, f"step {number}", "event", "1")
    await asyncio.gather(*(audit.write(SYSTEM, "elsewhere", "event", "2") for _ in range(5)))
    steps = await db.fetch(
        "SELECT action FROM audit_entry WHERE (subject_kind, subject_id) = ('event', '1') ORDER BY id"
    )
    assert [row["action"] for row in steps] == [f"step {number}" for number in range(5)]
