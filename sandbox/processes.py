"""Child processes that end with us, whatever ends us, and that are started again when they crash."""

import ctypes
import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from sandbox.state import Account, CannotStart

_PR_SET_PDEATHSIG = 1
_LARGE_LOG = 5_000_000
_LONGEST_BACK_OFF = 10.0
_STEADY_AFTER = 30.0

# Loaded here: between fork and exec a child must not import.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def launch(
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | str = "/",
    account: Account | None = None,
    dying_signal: signal.Signals = signal.SIGKILL,
    **popen: Any,
) -> subprocess.Popen[bytes]:
    """Start a child in its own session, so that Ctrl-C reaches only us, writing to a log file.

    `dying_signal` is what the kernel sends it when we die without a word (kill -9). It belongs to the *thread*
    that starts the child: start children from the main thread only.
    """
    parent = os.getpid()

    def end_with_parent() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, int(dying_signal))
            if os.getppid() != parent:
                os._exit(1)

    popen.setdefault("stdin", subprocess.DEVNULL)
    with _open_log(log) as output:
        # The hook runs after the change of account, which would clear the signal.
        return subprocess.Popen(
            [str(part) for part in command],
            stdout=output,
            stderr=output,
            env=env,
            cwd=cwd,
            start_new_session=True,
            preexec_fn=end_with_parent,
            **(account.privileges() if account else {}),
            **popen,
        )


def _open_log(log: Path) -> Any:
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > _LARGE_LOG:
        log.replace(log.with_suffix(".old.log"))
    return log.open("ab")


def end(processes: Iterable[tuple[subprocess.Popen[bytes], signal.Signals]], *, patience: float = 10.0) -> None:
    """Ask each to stop in its way, wait for them together, and insist with those that did not listen."""
    living = [(process, how) for process, how in processes if process.poll() is None]
    for process, how in living:
        process.send_signal(how)
    deadline = time.monotonic() + patience
    for process, _ in living:
        try:
            process.wait(max(0.01, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass
class Server:
    """A running service of this machine: where it answers, and how to stop it."""

    url: str
    process: subprocess.Popen[bytes]
    stop_signal: signal.Signals = signal.SIGTERM

    def stop(self) -> None:
        end([(self.process, self.stop_signal)])


def wait_until(
    ready: Callable[[], bool], process: subprocess.Popen[bytes], *, name: str, log: Path, patience: float = 60.0
) -> None:
    """Wait until a service answers. Raises CannotStart with the end of its log when it ended or takes too long."""
    deadline = time.monotonic() + patience
    while not ready():
        if process.poll() is not None:
            raise CannotStart(f"{name} stopped while starting. The end of {log}:\n{tail(log)}")
        if time.monotonic() > deadline:
            raise CannotStart(f"{name} did not answer within {patience:.0f} s. The end of {log}:\n{tail(log)}")
        time.sleep(0.02)


def tail(log: Path, lines: int = 15) -> str:
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return "    (no log)"
    return "\n".join("    " + line for line in text.splitlines()[-lines:])


def answers(address: tuple[str, int], path: str, *, timeout: float = 0.5) -> bool:
    """Whether an HTTP server says 200 there. By hand, because an HTTP library would double our memory."""
    request = f"GET {path} HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection(address, timeout) as connection:
            connection.sendall(request.encode())
            return connection.recv(64).split(b" ", 2)[1:2] == [b"200"]
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def next_free_port(port: int) -> int:
    """The first port from here on that nobody listens on, on this machine's own address."""
    with listen("127.0.0.1", port) as probe:
        return int(probe.getsockname()[1])


def listen(host: str, port: int, *, attempts: int = 100) -> socket.socket:
    """A listening socket on the wished port, or on the next free one after it."""
    for candidate in range(port, min(port + attempts, 65536)):
        try:
            listening = socket.create_server((host, candidate), family=_family(host), backlog=1024)
            # Connections inherit it. Given only the descriptor, the web server would not know that this is TCP, and
            # each answer would wait 40 ms for the other side's delayed acknowledgement.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return listening
        except PermissionError as error:
            raise CannotStart(f"Port {candidate} needs root. Choose one above 1023, e.g. PORT=8000.") from error
        except OverflowError as error:
            raise CannotStart(f"{port} is not a port. Choose one from 1024 to 65535.") from error
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise CannotStart(f"Cannot listen on {host}: {error.strerror}. Check HOST.") from error
    raise CannotStart(f"No free port from {port} on. Choose another with PORT=….")


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


@dataclass
class Service:
    """A child that is started again, later each time, when it ends unasked."""

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    log: Path
    stop_signal: signal.Signals = signal.SIGTERM
    crashes: int = 0
    due: float | None = None
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.process = self.start()

    def revive(self, now: float) -> str | None:
        """Notice an end, or start again when its time has come. Returns what to tell the person, if anything."""
        if self.due is None:
            if self.process.poll() is None:
                return None
            return self._put_off(now, _exit_words(self.process.returncode))
        if now < self.due:
            return None
        try:
            self.process = self.start()
        except CannotStart as problem:
            return self._put_off(now, str(problem))
        self.due, self.started = None, now
        return None

    def _put_off(self, now: float, why: str) -> str:
        self.crashes = 1 if now - self.started > _STEADY_AFTER else self.crashes + 1
        wait = min(_LONGEST_BACK_OFF, 0.25 * 2 ** (self.crashes - 1))
        self.due = now + wait
        end_of_log = f"The end of {self.log}:\n{tail(self.log, 5)}"
        return f"{self.name} ended ({why}) and starts again in {wait:.2g} s. {end_of_log}"


def _exit_words(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def watch(services: Sequence[Service], stopping: Event, tell: Callable[[str], None]) -> None:
    """Keep the services alive until we are asked to stop."""
    while not stopping.wait(0.25):
        for service in services:
            if message := service.revive(time.monotonic()):
                tell(message)
