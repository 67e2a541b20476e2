"""The logs: what broke and where, and nothing of what people typed."""

import json

import asyncpg
import pytest
import structlog

from models import database as db
from services.logs import set_up_logs
from tests.makers import make_event

CANARY = "ana.kovac@example.org"
QUOTING = {
    "sent to the database": ("SELECT lower($1)", f"{CANARY}\ud800"),
    "no id": ("SELECT $1::uuid", CANARY),
    "read by the database": ("SELECT $1::text::int", CANARY),
    "kept by the database": ("UPDATE event SET title = $1, held = -1", CANARY),
}


def line(**event: object) -> dict:
    """As the logs write it."""
    set_up_logs()
    said: object = {"event": "failure", **event}
    for processor in structlog.get_config()["processors"]:
        said = processor(None, "error", said)
    assert isinstance(said, str)
    return json.loads(said)


async def failure_of(sql: str, typed: str) -> Exception:
    await make_event()
    try:
        await db.execute(sql, typed)
    except Exception as error:
        return error
    raise AssertionError("nothing broke")


@pytest.mark.parametrize("why", QUOTING)
async def test_what_was_typed_stays_out_of_the_log_where_the_database_quotes_it(database, why):
    error = await failure_of(*QUOTING[why])
    assert CANARY in f"{error}", "there is something to leave out"
    later = RuntimeError("the order was not kept")
    later.__cause__ = error
    for failure in (error, later, ExceptionGroup("two at once", [later, ValueError("x")])):
        said = line(exc_info=failure, error=failure)
        assert CANARY not in json.dumps(said)
        assert type(error).__name__ in said["exception"]
        assert "in failure_of" in said["exception"], "and where it was is told"


async def test_the_rule_that_was_broken_is_named(database):
    said = line(error=await failure_of(*QUOTING["kept by the database"]))
    assert "violates check constraint" in said["error"]


def test_a_failure_is_told_with_what_led_to_it():
    try:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise RuntimeError("second") from error
    except RuntimeError as error:
        said = line(exc_info=error)["exception"]
    assert said.index("KeyError: 'first'") < said.index("RuntimeError: second")
    assert said.count("Traceback (most recent call last)") == 2


def test_a_failure_that_is_its_own_cause_is_told_once():
    error = RuntimeError("round and round")
    error.__cause__ = error
    assert line(exc_info=error)["exception"].count("round and round") == 1


def test_a_failure_without_words_is_named():
    assert line(error=asyncpg.QueryCanceledError())["error"] == "asyncpg.exceptions.QueryCanceledError: "
