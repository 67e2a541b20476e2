"""How the tests are divided: with several processes, none may empty a database under a running shop."""

from types import SimpleNamespace
from typing import Any

import pytest

from tests.division import FilesAndJourneys

FILES = ("faults/test_kills.py", "services/test_holds.py", "web/test_orders.py")
JOURNEYS = ("journeys/test_buying.py", "journeys/test_faults.py")
COLLECTED = [f"tests/{file}::test_{n}[a::b]" for file in (*FILES, *JOURNEYS) for n in range(7)]


class Process:
    """One that does what it is sent, in order."""

    shutting_down = False

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.to_do: list[int] = []
        self.done: list[str] = []

    def send_runtest_some(self, numbers: list[int]) -> None:
        self.to_do += numbers

    def shutdown(self) -> None:
        self.shutting_down = True


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_in_no_process_does_anything_follow_a_journey(processes):
    for process in _run(processes):
        journeys = ["journeys" in done for done in process.done]
        assert journeys == sorted(journeys)


def test_a_file_stays_together_and_journeys_are_shared_out():
    one, other = _run(2)
    for file in FILES:
        assert sum(file in done for done in one.done) in (0, 7)
    assert any("journeys" in done for done in one.done)
    assert any("journeys" in done for done in other.done)


def test_every_test_is_run_once():
    assert sorted(done for process in _run(3) for done in process.done) == sorted(COLLECTED)


def _run(count: int) -> list[Process]:
    """Whoever has done least goes next."""
    options = SimpleNamespace(loadscopereorder=True, tx=[f"{count}*popen"], px=[], dist="load", maxprocesses=None)
    config: Any = SimpleNamespace(option=options, getvalue=lambda name: getattr(options, name))
    scheduler = FilesAndJourneys(config)
    processes: list[Any] = [Process(f"gw{n}") for n in range(count)]
    for process in processes:
        scheduler.add_node(process)
        scheduler.add_node_collection(process, COLLECTED)
    scheduler.schedule()
    while busy := [process for process in processes if process.to_do]:
        process = min(busy, key=lambda process: len(process.done))
        number = process.to_do.pop(0)
        process.done.append(COLLECTED[number])
        scheduler.mark_test_complete(process, number)
    return processes
