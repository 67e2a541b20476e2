"""Commands that people run by hand: `python -m tasks.commands migrate`."""

import argparse
import asyncio

from piccolo.apps.migrations.commands.forwards import ForwardsMigrationManager

from models import database, invariants

# Any number will do; it must only be ours. Two migrators at once would trip over each other.
MIGRATION_LOCK = 0x466F796572


async def migrate() -> None:
    """Bring the database up to date. Harmless when it already is."""
    connection = await database.engine().get_new_connection()
    try:
        await connection.execute("SET statement_timeout = 0; SET lock_timeout = 0")
        await connection.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
        result = await ForwardsMigrationManager(app_name="foyer", migration_id="all").run()
    finally:
        await connection.close()
    if not result.success:
        raise SystemExit(f"The database could not be brought up to date: {result.message}")


async def audit() -> None:
    """Recompute every promise from the rows. Exits with 1 when one is broken, naming it and the rows."""
    async with database.engine().transaction():
        await database.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        await database.execute("SET LOCAL statement_timeout = 0")
        broken = await invariants.broken()
    for name, rows in broken.items():
        print(f"BROKEN  {name}")
        for row in rows[:20]:
            print("       ", *row)
    if broken:
        raise SystemExit(1)
    print(f"All {len(invariants.INVARIANTS)} promises hold.")


COMMANDS = {"migrate": migrate, "audit": audit}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tasks.commands", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, command in COMMANDS.items():
        commands.add_parser(name, help=command.__doc__)
    asyncio.run(COMMANDS[parser.parse_args().command]())


if __name__ == "__main__":
    main()
