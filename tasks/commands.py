"""Commands that people run by hand: `python -m tasks.commands migrate`."""

import argparse
import asyncio

from email_validator import EmailNotValidError, validate_email
from piccolo.apps.migrations.commands.forwards import ForwardsMigrationManager

import settings
from domain.access import Role
from models import database, invariants
from services import admins
from services import audit as audits

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


async def invite_admin(email: str, role: Role, *, without_second_factor: bool) -> None:
    """Print a one-time link for an admin, new or known: the first owner, or one who is locked out."""
    email = _address(email)
    token = await admins.by_hand(email=email, role=role)
    if without_second_factor:
        await admins.remove_second_factor(audits.SYSTEM, await admins.find_by_email(email))
    print(f"{settings.load().base_url}/admin/enter/{token}")


def _address(typed: str) -> str:
    try:
        return validate_email(typed, check_deliverability=False).normalized
    except EmailNotValidError as problem:
        raise SystemExit(f"“{typed}” is not an e-mail address: {problem}") from None


def main() -> None:
    arguments = vars(_parser().parse_args())
    command = arguments.pop("run")
    asyncio.run(command(**arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tasks.commands", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for name, command in (("migrate", migrate), ("audit", audit)):
        commands.add_parser(name, help=command.__doc__).set_defaults(run=command)
    invite = commands.add_parser("invite-admin", help=invite_admin.__doc__)
    invite.set_defaults(run=invite_admin)
    invite.add_argument("email")
    invite.add_argument("--role", type=Role, choices=list(Role), default=Role.OWNER, help="of a new admin")
    invite.add_argument("--without-second-factor", action="store_true", help="for whoever lost phone and paper")
    return parser


if __name__ == "__main__":
    main()
