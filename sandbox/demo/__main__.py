"""`python -m sandbox.demo`: put the demo on sale in the database of DATABASE_URL. Harmless when it already is."""

import asyncio

from models import database
from sandbox.demo.load import load


async def main() -> None:
    await database.open_pool(1)
    try:
        print(await load())
    finally:
        await database.close_pool()


if __name__ == "__main__":
    asyncio.run(main())
