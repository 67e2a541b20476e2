"""`make run`: the whole of production on one machine, and nothing left behind when it ends.

This process only starts, watches and stops the others. It lives as long as they do, so it imports nothing large.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, NoReturn

import settings
from sandbox import plan as plans
from sandbox import postgres, redis
from sandbox.prepare import prepare
from sandbox.processes import Service, answers, end, free_port, launch, listen, next_free_port, wait_until, watch
from sandbox.progress import say, step
from sandbox.state import CHECKOUT, CannotStart, directory, lock, write_private

WEB_PROCESSES = 2
_NOTE = "running.json"


class Stopped(BaseException):
    """Somebody pressed Ctrl-C, closed the terminal, or asked us to end."""


def main(arguments: list[str]) -> int:
    try:
        if arguments[:1] == ["--only"]:
            return run_only(arguments[1:], os.environ)
        return run(os.environ)
    except (CannotStart, settings.SettingsError) as problem:
        say(f"\n{problem}")
        return 1
    except Stopped:
        return 130


def run(env: Mapping[str, str]) -> int:
    began = time.monotonic()
    plan = plans.read(env)
    state = directory(env=env)
    held = lock(state)
    if held is None:
        say(where_it_runs(state))
        return 0
    with held:
        stack = Stack(env, plan, state)
        _on_signals(_stop)
        try:
            stack.open()
            say(welcome(stack, time.monotonic() - began))
            watch(stack.services, Event(), say)
        except Stopped:
            say("\nClosing …")
        finally:
            # A second Ctrl-C must not interrupt the closing, which takes seconds at most.
            _on_signals(signal.SIG_IGN)
            stack.close()
    say("Closed. The shop's data is kept for the next time.")
    return 0


def _on_signals(handler: Callable[..., Any] | signal.Handlers) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)


def _stop(*_: object) -> NoReturn:
    raise Stopped


class Stack:
    """Everything that runs: the data, the sandbox, and the shop that stands on them."""

    def __init__(self, env: Mapping[str, str], plan: plans.Plan, state: Path) -> None:
        self.plan, self.state = plan, state
        self.data: list[Service] = []
        self.talkers: list[Service] = []
        self.desk: str | None = None
        # Bound here and shared by all web processes: the address stays ours while one of them is replaced.
        self.socket = listen(plan.host, plan.port)
        port = self.socket.getsockname()[1]
        self.ports = plans.Ports(shop=port, sandbox=next_free_port(port + 1), smtp=free_port())
        self.database_port, self.redis_port = free_port(), free_port()
        embedded = {}
        if plan.database:
            embedded["DATABASE_URL"] = postgres.url(state, self.database_port)
        if plan.redis:
            embedded["REDIS_URL"] = redis.url(state, self.redis_port)
        self.environment = plans.environment(env, plan, self.ports, state, **embedded)
        settings.load(self.environment)

    @property
    def services(self) -> list[Service]:
        return [*self.data, *self.talkers]

    def open(self) -> None:
        if self.plan.port not in (0, self.ports.shop):
            say(f"Port {self.plan.port} is busy, so the shop moves to {self.ports.shop}.")
        with step(f"Starting {self._parts()}"):
            if self.plan.sandbox:
                self._add("sandbox", "sandbox.server", environment=plans.for_sandbox(self.environment))
            self.open_data()
        demo = prepare(self.state, self.environment, embedded=self.plan.database)
        with step("Opening the shop"):
            # Beside the shop's own start: it takes most of a second to load.
            link = ask_for_a_link(self.environment) if demo else None
            self._open_shop()
            self.desk = _last_line(link)
        note = {"pid": os.getpid(), "environment": self.environment, "demo": demo}
        write_private(self.state / _NOTE, json.dumps(note))

    def open_data(self) -> None:
        if self.plan.redis:
            start = partial(redis.start, self.state, port=self.redis_port)
            self.data.append(Service("valkey", lambda: start().process, self._log("valkey")))
        if self.plan.database:
            begin = partial(postgres.start, self.state, port=self.database_port)
            self.data.append(
                Service("postgres", lambda: begin().process, self._log("postgres"), stop_signal=signal.SIGINT)
            )

    def _open_shop(self) -> None:
        listening = self.socket.fileno()
        for number in range(1, WEB_PROCESSES + 1):
            self._add(f"web-{number}", "uvicorn", *_WEB, "--fd", str(listening), pass_fds=[listening])
        web, address = self.talkers[-1], self.socket.getsockname()[:2]
        wait_until(partial(answers, address, "/health/ready"), web.process, name="The web server", log=web.log)
        # Only now: while it loads it would keep a core from the first page, and a hold also ends without it.
        self._add("worker", "tasks.worker")
        if self.plan.sandbox:
            sandbox = self.talkers[0]
            ready = partial(answers, ("127.0.0.1", self.ports.sandbox), "/_sandbox/health")
            wait_until(ready, sandbox.process, name="The sandbox", log=sandbox.log)

    def _add(
        self, name: str, module: str, *arguments: str, environment: Mapping[str, str] | None = None, **popen: Any
    ) -> None:
        command = [sys.executable, "-m", module, *arguments]
        log = self._log(name)
        start = partial(launch, command, log=log, env=environment or self.environment, cwd=CHECKOUT, **popen)
        self.talkers.append(Service(name, start, log))

    def close(self) -> None:
        """First who talks to the data, then the data, so that nobody complains about the other."""
        (self.state / _NOTE).unlink(missing_ok=True)
        self.socket.close()
        for group in (self.talkers, self.data):
            end([(service.process, service.stop_signal) for service in group])

    def _log(self, name: str) -> Path:
        return self.state / "log" / f"{name}.log"

    def _parts(self) -> str:
        names = {"database": "PostgreSQL", "redis": "Valkey", "stripe": "a Stripe sandbox", "mail": "a mail catcher"}
        return ", ".join(words for part, words in names.items() if getattr(self.plan, part)) or "your own services"


_WEB = (
    *("web.app:create_app", "--factory", "--timeout-graceful-shutdown", "3"),
    *("--no-access-log", "--no-server-header"),
)


def welcome(stack: Stack, seconds: float) -> str:
    sandbox = plans.sandbox_address(stack.ports)
    lines = [
        f"\nFoyer is open after {seconds:.1f} s.\n",
        f"  Shop      {stack.environment['BASE_URL']}",
        f"  Desk      {stack.desk or _DESK_HINT}",
    ]
    if stack.plan.mail:
        lines.append(f"  Mails     {sandbox}/mail")
    if stack.plan.stripe:
        lines.append(f"  Sandbox   {sandbox}/")
    if not stack.plan.stripe:
        lines.append(_STRIPE_HINT.format(webhook=stack.environment["SANDBOX_WEBHOOK_URL"]))
    lines.append(f"  Logs      {stack.state / 'log'}\n\nCtrl-C closes it.")
    return "\n".join(lines)


_DESK_HINT = "python3 sandbox/bootstrap.py run --only invite-admin YOUR@EMAIL makes a link for you"
_STRIPE_HINT = """\
  Stripe    your own account; to hear from it: stripe listen --forward-to {webhook}
            and set STRIPE_WEBHOOK_SECRET to what that prints.
            The demo shows events without sales: your account would not know of invented ones."""


def ask_for_a_link(environment: Mapping[str, str]) -> subprocess.Popen[str]:
    command, pipe = [sys.executable, "-m", "sandbox.desk"], subprocess.PIPE
    return subprocess.Popen(command, env=environment, cwd=CHECKOUT, stdout=pipe, stderr=subprocess.DEVNULL, text=True)


def _last_line(link: subprocess.Popen[str] | None) -> str | None:
    """What it printed, or None: a shop without a link is still a shop."""
    lines = link.communicate()[0].split() if link else []
    return lines[-1] if lines else None


def where_it_runs(state: Path) -> str:
    note = _read_note(state)
    if note is None:
        return "Foyer is already starting (or closing) in this checkout. Give it a moment."
    shop = note["environment"]["BASE_URL"]
    desk = _last_line(ask_for_a_link(note["environment"])) if note.get("demo") else None
    return (
        f"Foyer is already open in this checkout: {shop}\n"
        + (f"A fresh way to its desk: {desk}\n" if desk else "")
        + f"Close it with Ctrl-C where it runs (process {note['pid']})."
    )


def _read_note(state: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads((state / _NOTE).read_text()))
    except (OSError, ValueError):
        return None


def run_only(command: list[str], env: Mapping[str, str]) -> int:
    """Run one of tasks.commands against the open shop, or against its data alone when it is closed."""
    state = directory(env=env)
    held = lock(state)
    if held is None:
        note = _read_note(state)
        if note is None:
            raise CannotStart("Foyer is just starting or closing in this checkout. Try again in a moment.")
        return _command(command, note["environment"] | dict(env))
    with held:
        stack = Stack({**env, "PORT": "0"}, plans.read({**env, "PORT": "0"}), state)
        _on_signals(_stop)
        try:
            stack.open_data()
            return _command(command, stack.environment)
        finally:
            _on_signals(signal.SIG_IGN)
            stack.close()


def _command(command: list[str], environment: Mapping[str, str]) -> int:
    return subprocess.call([sys.executable, "-m", "tasks.commands", *command], env=environment, cwd=CHECKOUT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
