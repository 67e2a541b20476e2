"""Brings the database up to date and fills the demo shop, skipping what is known to be done.

The demo is for databases that were empty when we came: nobody's real shop gets invented events.
"""

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from sandbox.processes import launch, tail
from sandbox.progress import step
from sandbox.state import CHECKOUT, CannotStart, write_private


def prepare(state: Path, environment: Mapping[str, str], *, embedded: bool) -> bool:
    """Returns whether this is a demo shop."""
    note = _note(state, environment["DATABASE_URL"], embedded)
    done = _read(note)
    wanted = {
        "migrations": _fingerprint("models/migrations"),
        "empty": done.get("empty") or embedded or _is_empty(environment),
    }
    # Somebody else's database may have been changed by somebody else: there we always look.
    if done.get("migrations") != wanted["migrations"] or not embedded:
        _do("Bringing the database up to date", ["tasks.commands", "migrate"], state, environment)
    if wanted["empty"]:
        # Every time: the holds of its invented visitors last 15 minutes, like everybody's.
        _do("Putting the demo events on sale", ["sandbox.demo"], state, environment)
    write_private(note, json.dumps(wanted))
    return bool(wanted["empty"])


def _note(state: Path, database_url: str, embedded: bool) -> Path:
    """What was done to which database; the embedded one's note lies beside its data and goes with it."""
    if embedded:
        return state / "postgres" / "prepared.json"
    return state / f"prepared-{hashlib.sha256(database_url.encode()).hexdigest()[:12]}.json"


def _read(note: Path) -> dict[str, str | bool]:
    with suppress(OSError, ValueError):
        return dict(json.loads(note.read_text()))
    return {}


def _fingerprint(*places: str) -> str:
    digest = hashlib.sha256()
    for place in places:
        path = CHECKOUT / place
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.suffix in (".py", ".sql", ".toml", ".json"):
                digest.update(str(file.relative_to(CHECKOUT)).encode() + file.read_bytes() if file.exists() else b"")
    return digest.hexdigest()[:16]


def _is_empty(environment: Mapping[str, str]) -> bool:
    command = [sys.executable, "-m", "sandbox.foreign"]
    answer = subprocess.run(command, env=environment, cwd=CHECKOUT, capture_output=True, text=True)
    if answer.returncode:
        raise CannotStart(f"The database of DATABASE_URL does not answer.\n    {answer.stderr.strip()[-500:]}")
    return answer.stdout.strip() == "empty"


def _do(words: str, module: list[str], state: Path, environment: Mapping[str, str]) -> None:
    log = state / "log" / "prepare.log"
    with step(words) as tick:
        process = launch([sys.executable, "-m", *module], log=log, env=environment, cwd=CHECKOUT)
        while process.poll() is None:
            tick("")
            time.sleep(0.05)
        if process.returncode:
            raise CannotStart(f"{' '.join(module)} did not succeed. The end of {log}:\n{tail(log)}")
