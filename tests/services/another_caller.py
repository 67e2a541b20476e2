"""Another process that asks the provider: `python -m tests.services.another_caller RATE CALLS API_BASE REFERENCE`.

Says that it is ready, waits for a line, makes all its calls at once, and says how many were answered.
"""

import asyncio
import sys

from models import database
from sandbox.plan import SANDBOX_SECRET_KEY
from services import pace
from services.stripe_gateway import StripeGateway


async def main(rate: float, calls: int, api_base: str, reference: str) -> None:
    await database.open_pool(4)
    pace.use_rate(rate)
    gateway = StripeGateway(secret_key=SANDBOX_SECRET_KEY, api_base=api_base, webhook_secrets=("whsec_x",))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    answers = await asyncio.gather(*(gateway._retrieve(reference) for _ in range(calls)), return_exceptions=True)
    print(sum(not isinstance(answer, Exception) for answer in answers), flush=True)


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]))
