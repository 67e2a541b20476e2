"""The box office. The SQL lies beside this file: it is reviewed as SQL, not generated."""

from pathlib import Path

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from models.database import script

ID = "2026-11-22T20:00:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "the box office"


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="foyer", description=DESCRIPTION)

    async def run() -> None:
        await script(Path(__file__).with_name("box_office.sql").read_text())

    manager.add_raw(run)
    return manager
