"""Another web process, without the web: reads a line of wishes, holds them all at once, writes a line of answers."""

import asyncio
import json
import sys
from uuid import UUID

from domain.errors import Refusal
from models import database
from services import reservations


async def main() -> None:
    await database.open_pool(6)
    print(json.dumps("ready"), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        asked = json.loads(line)
        reservations._turnstile._batch = asked["batch"]
        answers = await asyncio.gather(*(_hold(UUID(asked["event"]), *wish) for wish in asked["wishes"]))
        print(json.dumps(answers), flush=True)


async def _hold(event_id: UUID, request_key: str, wish: dict[str, int]) -> dict[str, str]:
    try:
        checkout_id = await reservations.hold_tickets(
            event_id, wish={UUID(t): n for t, n in wish.items()}, request_key=request_key
        )
    except Refusal as refusal:
        return {"kind": type(refusal).__name__, "words": str(refusal)}
    return {"kind": "held", "checkout": str(checkout_id)}


if __name__ == "__main__":
    asyncio.run(main())
