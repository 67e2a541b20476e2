"""Piccolo's composition root: the engine that every model uses."""

from piccolo.conf.apps import AppRegistry

import settings
from models.database import Engine

DB = Engine(dsn=settings.database_url())

APP_REGISTRY = AppRegistry(apps=["models.piccolo_app"])
