"""Real worker and web processes, started in a tenth of a second and killed at a place with a name."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from sandbox.processes import tail
from tests.conftest import ROOT, until


class Nursery:
    """One prepared process from which all others are forked, see crashing.py."""

    def __init__(self, env: dict[str, str], *, folder: Path, listening: int) -> None:
        folder.mkdir(exist_ok=True)
        self._folder, self._listening = folder, listening
        self._living: list[Forked] = []
        with (folder / "nursery.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.crashing"],
                cwd=ROOT,
                env={**os.environ, **env, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=[listening],
            )
        assert self._read() == "ready"

    def worker(self, place: str | None = None, **env: str) -> "Forked":
        return self._start("worker", place, env)

    def web(self, place: str | None = None, **env: str) -> "Forked":
        """Answers at the address of the shop, which stays open while nobody is there."""
        return self._start("web", place, {"LISTENING": str(self._listening), **env})

    def ended(self, pid: int) -> int | None:
        """The signal that ended it, 0 for an end of its own, None while it lives."""
        return self._ask(ended=pid)["signal"]

    def end_all(self) -> None:
        for process in self._living:
            process.kill()
        self._living.clear()

    def close(self) -> None:
        self.end_all()
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(10)

    def _start(self, kind: str, place: str | None, env: dict[str, str]) -> "Forked":
        log = self._folder / f"{kind}.log"
        log.touch()
        begins = log.stat().st_size
        pid = self._ask(start=kind, place=place, env=env, log=str(log))["pid"]
        self._living.append(Forked(self, pid, log, begins))
        return self._living[-1]

    def _ask(self, **wish: Any) -> Any:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(wish).encode() + b"\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, f"the nursery is gone. The end of its log:\n{tail(self._folder / 'nursery.log')}"
        return json.loads(line)


class Forked:
    """A worker or a web process of the nursery."""

    def __init__(self, nursery: Nursery, pid: int, log: Path, begins: int) -> None:
        self._nursery, self.pid, self.log, self._begins = nursery, pid, log, begins
        self._signal: int | None = None

    def said(self) -> str:
        """What is in its log, which others have written in before."""
        return self.log.read_bytes()[self._begins :].decode()

    def ended(self) -> int | None:
        if self._signal is None:
            self._signal = self._nursery.ended(self.pid)
        return self._signal

    def kill(self) -> None:
        """kill -9, and wait until it is gone. Harmless when it is gone already."""
        if self.ended() is None:
            os.kill(self.pid, signal.SIGKILL)
            while self.ended() is None:
                os.sched_yield()

    async def has_died(self, *, patience: float = 30.0) -> None:
        """Wait until it has killed itself at its place."""
        try:
            await until(lambda: self.ended() is not None, patience=patience)
        except TimeoutError:
            raise AssertionError(f"never came by its place. The end of its log:\n{tail(self.log, 25)}") from None
        assert self.ended() == signal.SIGKILL, f"ended by itself. The end of its log:\n{tail(self.log, 25)}"
