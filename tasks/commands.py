"""Commands that people run by hand: `python -m tasks.commands migrate`."""

import argparse
import asyncio

from piccolo.apps.migrations.commands.forwards import ForwardsMigrationManager

from models import database

# Any number will do; it must only be ours. Two migrators at once would trip over each other.
MIGRATION_LOCK = 0x466F796572


async def migrate() -> None:
    """Bring the database up to date. Harmless when it is."""
    connection = await database.engine().get_new_connection()
    try:
        await connection.execute("SET statement_timeout = 0; SET lock_timeout = 0")
        await connection.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
        result = await ForwardsMigrationManager(app_name="foyer", migration_id="all").run()
    finally:
        await connection.close()
    if not result.success:
        raise SystemExit(f"The database could not be brought up to date: {result.message}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tasks.commands", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("migrate", help="bring the database up to date")
    parser.parse_args()
    asyncio.run(migrate())


if __name__ == "__main__":
    main()
