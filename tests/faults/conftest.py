"""A second process that sells from the same database."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from uuid import UUID

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="session")
async def another_process(postgres_url: str) -> AsyncIterator["AnotherProcess"]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.faults.another_process",
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DATABASE_URL": postgres_url},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert await _line(process) == "ready"
    yield AnotherProcess(process)
    process.stdin.close()
    await process.wait()


class AnotherProcess:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def hold(
        self, event_id: UUID, wishes: Iterable[tuple[str, Mapping[UUID, int]]], *, batch: int = 50
    ) -> list[dict]:
        """All of them at once, through its own turnstile. Answers in the same order."""
        asked = [(request_key, {str(t): n for t, n in wish.items()}) for request_key, wish in wishes]
        line = json.dumps({"event": str(event_id), "wishes": asked, "batch": batch})
        self._process.stdin.write(line.encode() + b"\n")
        return await _line(self._process)


async def _line(process: asyncio.subprocess.Process):
    async with asyncio.timeout(20):
        return json.loads(await process.stdout.readline())
