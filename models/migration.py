"""A migration is a file of SQL, reviewed as SQL; the small module beside it gives its name and place in the order."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from models.database import script

FOLDER = Path(__file__).parent / "migrations"


def runs(file: str, *, migration_id: str, description: str) -> Callable[[], Awaitable[MigrationManager]]:
    """What a migration module calls `forwards`: run this file, whole or not at all."""

    async def forwards() -> MigrationManager:
        manager = MigrationManager(migration_id=migration_id, app_name="foyer", description=description)

        async def run() -> None:
            await script("SET LOCAL statement_timeout = 0")  # an index over many rows takes its time
            await script((FOLDER / file).read_text(encoding="utf-8"))

        manager.add_raw(run)
        return manager

    return forwards
