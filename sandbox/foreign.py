"""Says whether the database that a person brought (DATABASE_URL) is empty, or why it does not answer.

A process of its own, so that the long-running supervisor never loads a database driver.
"""

import asyncio
import os
import sys

import asyncpg

_COUNT_TABLES = """
    SELECT count(*) FROM pg_catalog.pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
"""


async def look(url: str) -> str:
    try:
        connection = await asyncpg.connect(url, timeout=10)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as problem:
        sys.exit(f"{type(problem).__name__}: {problem}")
    try:
        return "in use" if await connection.fetchval(_COUNT_TABLES) else "empty"
    finally:
        await connection.close()


if __name__ == "__main__":
    print(asyncio.run(look(os.environ["DATABASE_URL"])))
