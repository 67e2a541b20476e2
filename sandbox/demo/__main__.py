"""`python -m sandbox.demo`: put the demo on sale in the database of DATABASE_URL. Harmless when it already is.

STRIPE_API_BASE says where the sandbox plays Stripe. Without it, or when something else answers there, no sales are
invented.
"""

import asyncio
import os

from models import database
from sandbox.demo import books
from sandbox.demo.load import load


async def main() -> None:
    sandbox = await books.find_sandbox(os.environ.get("STRIPE_API_BASE", ""))
    await database.open_pool(1)
    try:
        print(await load(sandbox))
    finally:
        await database.close_pool()


if __name__ == "__main__":
    asyncio.run(main())
