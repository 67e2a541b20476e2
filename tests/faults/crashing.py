"""A nursery of real processes: everything is imported once, and each worker or web process is a fork of that.

`python -m tests.faults.crashing` reads a line of JSON for each wish and answers with one:

    {"start": "worker" | "web", "place": name or null, "env": {…}, "log": path}   → {"pid": …}
    {"ended": pid}                                                                → {"signal": …} or {"signal": null}

A process whose place is named (see places.py) kills itself there with SIGKILL, the first time it comes by. With
PATIENCE_WITH_STRIPE in its environment it waits for Stripe's answers for as many seconds, and no longer. Whatever was
forked dies with this process, and this one with the tests.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import signal
import sys
import traceback
from typing import Any

import uvicorn.main  # noqa: F401

import web.app
from models import database
from services import stripe_gateway
from tasks import worker
from tests.faults import places

PR_SET_PDEATHSIG = 1
WEB = (
    *("uvicorn", "web.app:create_app", "--factory", "--timeout-graceful-shutdown", "3"),
    *("--no-access-log", "--no-server-header"),
)


def main() -> None:
    _load_what_loads_late()
    gc.freeze()  # what is here already is shared by all forks, and none of them need look through it
    print(json.dumps("ready"), flush=True)
    while line := sys.stdin.readline():
        wish = json.loads(line)
        answer = {"signal": _ended(wish["ended"])} if "ended" in wish else {"pid": _start(wish)}
        print(json.dumps(answer), flush=True)


def _load_what_loads_late() -> None:
    """Half a second of imports that happen at the first use, made once. Nothing is opened."""
    importlib.import_module("anyio._backends._asyncio")
    web.app.create_app()
    database.engine()


def _start(wish: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        _become(wish)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stderr.flush()
        os._exit(status)


def _become(wish: dict[str, Any]) -> None:
    """The process as its own command line would have made it, with one place armed."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    log = os.open(wish["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, number)
    os.environ.update(wish["env"])
    if patience := wish["env"].get("PATIENCE_WITH_STRIPE"):
        stripe_gateway.TIMEOUT_SECONDS = float(patience)
    if wish["place"]:
        (places.PLACES | places.MUTANTS)[wish["place"]].arm()
    if wish["start"] == "worker":
        worker.main()
    else:
        sys.argv = [*WEB, "--fd", wish["env"]["LISTENING"]]
        runpy.run_module("uvicorn", run_name="__main__")


def _ended(pid: int) -> int | None:
    """The signal that ended it; 0 for an end of its own; None while it lives."""
    found, status = os.waitpid(pid, os.WNOHANG)
    if not found:
        return None
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


if __name__ == "__main__":
    main()
