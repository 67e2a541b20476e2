"""Everything the stand-in remembers, in one SQLite file: a killed process forgets nothing it has answered.

All calls are short and made on the event loop's thread, so whatever lies between two awaits is atomic; `transaction`
makes it atomic on disk too.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.stripe.wire import Json

EVENTS_KEPT = 30 * 24 * 3600
REPLIES_KEPT = 24 * 3600
TABLES = """
CREATE TABLE IF NOT EXISTS objects (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, kind TEXT NOT NULL,
    created INTEGER NOT NULL, parent TEXT, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS objects_by_kind ON objects (kind, seq);
CREATE INDEX IF NOT EXISTS objects_by_parent ON objects (parent) WHERE parent IS NOT NULL;
CREATE TABLE IF NOT EXISTS replies (
    key TEXT PRIMARY KEY, request TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL, at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, due REAL, attempts INTEGER NOT NULL DEFAULT 0,
    problem TEXT);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due);
"""


@dataclass(frozen=True)
class Page:
    """Which part of a list is wanted, newest first."""

    parent: str | None = None
    after: str | None = None
    before: str | None = None
    created: tuple[tuple[str, int], ...] = ()  # ((">=", 1700000000), …)
    where: tuple[tuple[str, str, Any], ...] = ()  # (("charge", "= ?", "ch_1"), …): fields of the object itself
    limit: int | None = None


class Store:
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(path, isolation_level=None, timeout=5)
        self.db.execute("PRAGMA journal_mode = WAL")
        # A killed process loses nothing; only a power cut may take the last moments of play money.
        self.db.execute("PRAGMA synchronous = NORMAL")
        self.db.executescript(TABLES)

    def close(self) -> None:
        self.db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def get(self, id: str, kind: str | None = None) -> Json | None:
        row = self.db.execute(
            "SELECT body FROM objects WHERE id = ? AND kind = coalesce(?, kind)", (id, kind)
        ).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, thing: Json, created: int) -> None:
        self.db.execute(
            "INSERT INTO objects (id, kind, created, parent, body) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            (thing["id"], thing["object"], created, thing.get("payment_intent"), json.dumps(thing)),
        )

    def page(self, kind: str, page: Page = Page()) -> list[Json]:
        conditions, values = _conditions(kind, page)
        order = "ASC" if page.before else "DESC"
        limit = "" if page.limit is None else f" LIMIT {page.limit}"
        rows = self.db.execute(
            f"SELECT body FROM objects WHERE {' AND '.join(conditions)} ORDER BY seq {order}{limit}", values
        ).fetchall()
        found = [json.loads(row[0]) for row in rows]
        return found[::-1] if page.before else found

    def missing(self, ids: list[str]) -> list[str]:
        """Those of them that nothing here has, in their order."""
        rows = self.db.execute(
            "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT id FROM objects) ORDER BY key",
            (json.dumps(ids),),
        )
        return [row[0] for row in rows]

    def count(self, kind: str) -> int:
        return int(self.db.execute("SELECT count(*) FROM objects WHERE kind = ?", (kind,)).fetchone()[0])

    def forget_old(self, now: int) -> None:
        """Stripe lists events for 30 days and keeps idempotency keys for one."""
        self.db.execute("DELETE FROM objects WHERE kind = 'event' AND created < ?", (now - EVENTS_KEPT,))
        self.db.execute("DELETE FROM replies WHERE at < ?", (now - REPLIES_KEPT,))

    def clear(self) -> None:
        with self.transaction():
            for table in ("objects", "replies", "deliveries"):
                self.db.execute(f"DELETE FROM {table}")


def _conditions(kind: str, page: Page) -> tuple[list[str], list[Any]]:
    conditions, values = ["kind = ?"], [kind]
    for condition, value in (
        ("parent = ?", page.parent),
        ("seq < (SELECT seq FROM objects WHERE id = ?)", page.after),
        ("seq > (SELECT seq FROM objects WHERE id = ?)", page.before),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    for comparison, moment in page.created:
        conditions.append(f"created {comparison} ?")
        values.append(str(moment))
    for name, comparison, value in page.where:
        conditions.append(f"json_extract(body, '$.{name}') {comparison}")
        values.extend(value if isinstance(value, list) else [value])
    return conditions, values
