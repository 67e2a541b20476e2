"""How the tests are divided among processes when there are several (`make test`), and in what order they come.

Each process has its own PostgreSQL, Valkey, Stripe sandbox and, for its journeys, its own shop.
"""

from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# What takes longest begins first, so that nobody waits for it in the end.
LONGEST = ("test_stampede.py", "test_kills.py", "test_worker.py")


def turn(item: pytest.Item) -> int:
    """Journeys last: they share the database with a running shop, which must not see it emptied.

    Work is handed out in this order, so in no process does anything else follow a journey.
    """
    if _is_journey(item.path):
        return 2
    return item.path.name not in LONGEST


class FilesAndJourneys(LoadScopeScheduling):
    """A file at a time, because its tests share what was started for them; journeys one by one, as they are long."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return nodeid if _is_journey(Path(file)) else file


def _is_journey(path: Path) -> bool:
    return "journeys" in path.parts
