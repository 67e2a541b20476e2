"""Foyer as a Piccolo app: where the tables and migrations are."""

from pathlib import Path

from piccolo.conf.apps import AppConfig, table_finder

APP_CONFIG = AppConfig(
    app_name="foyer",
    migrations_folder_path=str(Path(__file__).parent / "migrations"),
    table_classes=table_finder(
        modules=[
            "models.event",
            "models.checkout",
            "models.payment",
            "models.order",
            "models.outbox",
            "models.audit",
            "models.cover",
            "models.admin",
        ]
    ),
    migration_dependencies=[],
    commands=[],
)
