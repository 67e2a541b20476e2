"""The way to the desk on this machine: prints a fresh one-time link for the demo's owner. One click, no password."""

import asyncio

import settings
from domain.access import Role
from services import admins

EMAIL, NAME = "owner@foyer.example", "Mira Novak"


async def main() -> None:
    token = await admins.entrance(email=EMAIL, name=NAME, role=Role.OWNER)
    print(f"{settings.load().base_url}/admin/enter/{token}")


if __name__ == "__main__":
    asyncio.run(main())
