"""The people behind the desk and how they come in."""

from pathlib import Path

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from models.database import script

ID = "2026-11-22T23:30:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "admins"


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="foyer", description=DESCRIPTION)

    async def run() -> None:
        await script(Path(__file__).with_name("admins.sql").read_text())

    manager.add_raw(run)
    return manager
