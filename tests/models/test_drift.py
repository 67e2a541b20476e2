"""The Piccolo tables and the database say the same, and the migration that makes the database can be run anywhere."""

import asyncio
import re
from pathlib import Path

import pytest
from piccolo.columns import JSON, JSONB, UUID, BigInt, Boolean, Bytea, ForeignKey, Integer, Text, Timestamptz

from models import database as db
from models.order import Words
from models.piccolo_app import APP_CONFIG
from tests.conftest import migrate

SQL_TYPES = {
    UUID: "uuid",
    ForeignKey: "uuid",
    Text: "text",
    Integer: "integer",
    BigInt: "bigint",
    Boolean: "boolean",
    Bytea: "bytea",
    Timestamptz: "timestamp with time zone",
    JSON: "json",
    JSONB: "jsonb",
    Words: "tsvector",
}
FOLDER = Path(APP_CONFIG.migrations_folder_path)
MIGRATIONS = list(FOLDER.glob("foyer_*.py"))
# PostgreSQL 16 and later: 15 must do.
TOO_NEW = (
    "uuidv4(",
    "uuidv7(",
    "any_value(",
    "array_shuffle(",
    "json_serialize(",
    "json_table(",
    "virtual",
    "nulls distinct",
)


@pytest.mark.parametrize("table", APP_CONFIG.table_classes, ids=lambda table: table._meta.tablename)
async def test_a_table_has_exactly_the_columns_that_its_class_says(database, table):
    rows = await db.fetch(
        """SELECT column_name, data_type, is_nullable = 'YES' AS nullable FROM information_schema.columns
           WHERE table_schema = 'public' AND table_name = $1""",
        table._meta.tablename,
    )
    stored = {row["column_name"]: (row["data_type"], row["nullable"]) for row in rows}
    declared = {c._meta.db_column_name: (SQL_TYPES[type(c)], c._meta.null) for c in table._meta.columns}
    assert declared == stored


async def test_every_table_of_the_database_has_a_class(database):
    rows = await db.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'migration'")
    assert {row["tablename"] for row in rows} == {table._meta.tablename for table in APP_CONFIG.table_classes}


@pytest.mark.parametrize("table", APP_CONFIG.table_classes, ids=lambda table: table._meta.tablename)
async def test_a_foreign_key_of_a_class_is_one_of_the_database(database, table):
    rows = await db.fetch(
        """SELECT a.attname, c.confrelid::regclass::text AS target, c.confdeltype::text AS on_delete
           FROM pg_constraint AS c JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
           WHERE c.contype = 'f' AND c.conrelid = $1::text::regclass""",
        table._meta.tablename,
    )
    stored = {(row["attname"], row["target"]) for row in rows}
    declared = {
        (c._meta.db_column_name, c._foreign_key_meta.resolved_references._meta.tablename)
        for c in table._meta.foreign_key_columns
    }
    # event_id of a reservation or an order is held through its checkout: (checkout_id, event_id) → checkout.
    through_another = {(name, target) for name, target in declared if name == "event_id"}
    assert declared - through_another <= stored
    assert {row["on_delete"] for row in rows} <= {"r", "a"}, "nothing that was sold disappears with something else"


async def test_an_insert_through_a_class_gets_the_defaults_of_the_database_s_clock(database):
    """Piccolo writes its own defaults for columns that it is not given: none of them may be a lie."""
    from tests.makers import make_event

    event = await make_event()
    row = await db.fetchrow("SELECT created_at, updated_at, held, sold FROM event WHERE id = $1", event.id)
    age = await db.fetchval("SELECT clock_timestamp() - $1", row["created_at"])
    assert abs(age.total_seconds()) < 5
    assert (row["held"], row["sold"]) == (0, 0)


async def test_a_migrated_database_is_left_as_it_is(database, postgres_url):
    before = await _fingerprint()
    await asyncio.to_thread(migrate, postgres_url)
    assert await _fingerprint() == before


async def test_two_operators_migrate_an_empty_database_at_once(database, postgres_url):
    await db.execute("CREATE DATABASE migrated_twice")
    try:
        url = postgres_url.rsplit("/", 1)[0] + "/migrated_twice"
        await asyncio.gather(asyncio.to_thread(migrate, url), asyncio.to_thread(migrate, url))
        here = await _fingerprint()
        import asyncpg

        connection = await asyncpg.connect(url)
        try:
            assert await connection.fetchval("SELECT count(*) FROM migration") == len(MIGRATIONS)
            there = await connection.fetch(FINGERPRINT)
        finally:
            await connection.close()
        assert [tuple(row) for row in there] == here
    finally:
        await db.execute("DROP DATABASE migrated_twice WITH (FORCE)")


def test_the_migrations_use_nothing_newer_than_postgresql_15():
    for file in FOLDER.glob("*.sql"):
        words = re.sub(r"--.*", "", file.read_text()).lower()
        assert not [word for word in TOO_NEW if word in words], file.name
        assert "create extension" not in words, file.name


FINGERPRINT = """
    SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
    WHERE table_schema = 'public'
    UNION ALL SELECT 'constraint', conname, pg_get_constraintdef(oid), conrelid::regclass::text, NULL FROM pg_constraint
      WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT 'index', indexname, indexdef, tablename, NULL FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT 'trigger', tgname, pg_get_triggerdef(oid), tgrelid::regclass::text, NULL FROM pg_trigger
      WHERE NOT tgisinternal AND tgrelid::regclass::text NOT LIKE 'mutant%'
    ORDER BY 1, 2, 4
"""


async def _fingerprint():
    return [tuple(row) for row in await db.fetch(FINGERPRINT)]
