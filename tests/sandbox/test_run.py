"""`make run`, piece by piece on real processes, and once as a whole."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
from redis import Redis

from sandbox import bootstrap, plan, postgres, processes, redis, run
from sandbox import state as states

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def state() -> Iterator[Path]:
    with states.scratch() as folder:
        yield folder


def until(condition: Callable[[], object], *, patience: float = 20) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


# ---------------------------------------------------------------- ports


def test_a_busy_port_moves_on_to_the_next_free_one() -> None:
    with processes.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with processes.listen("127.0.0.1", port) as ours:
            assert ours.getsockname()[1] > port


@pytest.mark.parametrize("port", ["shop", "-1", "65536", "80.5"])
def test_a_port_that_is_none_is_refused_with_what_would_do(port: str) -> None:
    with pytest.raises(states.CannotStart, match="1024 to 65535"):
        plan.read({"PORT": port})


# ---------------------------------------------------------------- PostgreSQL and Valkey


async def test_postgres_keeps_its_data_and_asks_for_the_password(state: Path) -> None:
    server = postgres.start(state)
    connection = await asyncpg.connect(server.url)
    await connection.execute("CREATE TABLE kept (word text); INSERT INTO kept VALUES ('still here')")
    await connection.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(re.sub(r":[^:@]+@", ":guess@", server.url))
    server.stop()
    assert server.process.returncode == 0

    again = postgres.start(state)
    try:
        connection = await asyncpg.connect(again.url)
        assert await connection.fetchval("SELECT word FROM kept") == "still here"
        assert await connection.fetchval("SHOW listen_addresses") == "127.0.0.1"
        await connection.close()
    finally:
        again.stop()


async def test_postgres_starts_again_after_everything_was_killed(state: Path) -> None:
    server = postgres.start(state, durable=False)
    server.process.kill()
    server.process.wait()
    # Its pid file is still there and names nobody, or by now somebody else.
    (state / "postgres" / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n")
    again = postgres.start(state, durable=False)
    connection = await asyncpg.connect(again.url)
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()
    again.stop()


def test_data_of_another_postgres_version_is_refused_and_left_alone(state: Path) -> None:
    data = state / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("17\n")
    with pytest.raises(states.CannotStart, match="PostgreSQL 17"):
        postgres.start(state)
    assert (data / "PG_VERSION").read_text() == "17\n"


def test_valkey_keeps_its_data_and_asks_for_the_password(state: Path) -> None:
    server = redis.start(state)
    with Redis.from_url(server.url) as client:
        client.set("word", "still here")
    with (
        Redis.from_url(re.sub(r":[^:@]+@", ":guess@", server.url)) as stranger,
        pytest.raises(Exception, match="invalid username-password"),
    ):
        stranger.get("word")
    server.stop()

    again = redis.start(state)
    with Redis.from_url(again.url) as client:
        assert client.get("word") == b"still here"
    again.stop()


def test_no_password_is_readable_by_others(state: Path) -> None:
    redis.start(state).stop()
    postgres.url(state, 5432)
    plan.environment({}, plan.read({}), plan.Ports(1, 2, 3), state)
    secrets = [file for file in state.iterdir() if file.is_file() and file.name != "lock"]
    assert len(secrets) == 4
    assert {oct(file.stat().st_mode & 0o777) for file in secrets} == {"0o600"}


def test_children_end_when_their_parent_is_killed(state: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux tells children that their parent died")
    program = f"""
import pathlib, time
from sandbox import postgres, redis
state = pathlib.Path({str(state)!r})
print(postgres.start(state, durable=False).process.pid, redis.start(state).process.pid, flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=CHECKOUT, stdout=subprocess.PIPE)
    assert parent.stdout
    children = [int(pid) for pid in parent.stdout.readline().split()]
    assert all(alive(pid) for pid in children)
    parent.kill()
    parent.communicate()
    until(lambda: not any(alive(pid) for pid in children))


def alive(pid: int) -> bool:
    try:
        # A zombie has ended; only its new parent has not noticed yet.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# ---------------------------------------------------------------- secrets and settings


def test_secrets_are_made_once_and_survive_a_restart(state: Path) -> None:
    first = settings_with(state)
    assert len(first["SECRET_KEY"]) >= 32
    assert first["STRIPE_WEBHOOK_SECRET"].startswith("whsec_")
    assert settings_with(state) == first


def test_without_settings_every_part_is_embedded(state: Path) -> None:
    chosen = plan.read({})
    assert (chosen.database, chosen.redis, chosen.stripe, chosen.mail) == (True, True, True, True)
    told = settings_with(state)
    assert told["STRIPE_API_BASE"] == "http://127.0.0.1:8001"
    assert told["STRIPE_JS_URL"] == "http://127.0.0.1:8001/js/stripe.js"
    assert told["SANDBOX_WEBHOOK_URL"] == "http://127.0.0.1:8000/stripe/webhook"


@pytest.mark.parametrize(
    ("setting", "part"),
    [("DATABASE_URL", "database"), ("REDIS_URL", "redis"), ("STRIPE_SECRET_KEY", "stripe"), ("SMTP_URL", "mail")],
)
def test_a_setting_replaces_its_embedded_part_and_no_other(state: Path, setting: str, part: str) -> None:
    chosen = plan.read({setting: "theirs"})
    parts = ("database", "redis", "stripe", "mail")
    assert [name for name in parts if not getattr(chosen, name)] == [part]
    assert settings_with(state, **{setting: "theirs"})[setting] == "theirs"


def test_an_empty_setting_is_a_missing_one() -> None:
    assert plan.read({"DATABASE_URL": " "}).database


def test_a_real_stripe_account_is_not_sent_to_the_sandbox_nor_shown_to_it(state: Path) -> None:
    told = settings_with(state, STRIPE_SECRET_KEY="sk_test_theirs", STRIPE_PUBLISHABLE_KEY="pk_test_theirs")
    assert "STRIPE_API_BASE" not in told
    assert "STRIPE_JS_URL" not in told
    assert "theirs" not in plan.for_sandbox(told)["STRIPE_SECRET_KEY"]


def settings_with(state: Path, **given: str) -> dict[str, str]:
    return plan.environment(given, plan.read(given), plan.Ports(shop=8000, sandbox=8001, smtp=8002), state)


# ---------------------------------------------------------------- one run at a time, and never fewer children


def test_a_second_run_says_where_the_first_one_is(state: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setenv("FOYER_STATE", str(state))
    with states.lock(state) or pytest.fail("nobody else is here"):
        assert states.lock(state) is None
        assert run.main([]) == 0
        assert "already starting" in capsys.readouterr().out
        note = {"pid": 4711, "environment": {"BASE_URL": "http://127.0.0.1:8123"}}
        (state / "running.json").write_text(json.dumps(note))
        assert run.main([]) == 0
        assert "http://127.0.0.1:8123" in capsys.readouterr().out
    assert states.lock(state) is not None


def test_a_crashing_child_is_started_again_later_each_time(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    starts: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        starts.append(processes.launch([sys.executable, "-c", "raise SystemExit('no luck')"], log=log))
        starts[-1].wait()
        return starts[-1]

    service = processes.Service("child", start, log)
    now = service.started
    said = service.revive(now) or ""
    assert "exit code 1" in said
    assert "no luck" in said
    waits = []
    for _ in range(8):
        assert service.due is not None
        waits.append(round(service.due - now, 2))
        now = service.due
        count = len(starts)
        assert service.revive(now - 0.01) is None
        assert len(starts) == count
        service.revive(now)
        assert len(starts) == count + 1
        service.revive(now)
    assert waits == [0.25, 0.5, 1, 2, 4, 8, 10, 10]


# ---------------------------------------------------------------- the first steps


def test_help_names_every_target(capsys: pytest.CaptureFixture[str]) -> None:
    bootstrap.show_help([])
    shown = capsys.readouterr().out
    targets = re.findall(r"^([a-z]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE)
    assert len(targets) >= 9
    assert all(f"make {target}" in shown for target in targets)


def test_packages_are_installed_again_only_when_the_requirements_change(tmp_path: Path, monkeypatch) -> None:
    venv = tmp_path / ".venv"
    (tmp_path / "requirements").mkdir()
    pinned = tmp_path / bootstrap.SANDBOX
    pinned.write_text("one==1\n")
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "STAMP", venv / "stamp")
    monkeypatch.setattr(bootstrap, "works", lambda: True)
    venv.mkdir()
    assert not bootstrap.up_to_date(bootstrap.SANDBOX)
    (venv / "stamp").write_text(bootstrap.stamp(bootstrap.SANDBOX) + "\n")
    assert bootstrap.up_to_date(bootstrap.SANDBOX)
    pinned.write_text("one==2\n")
    assert not bootstrap.up_to_date(bootstrap.SANDBOX)


def test_a_missing_browser_fails_in_ci_and_says_what_to_install(monkeypatch) -> None:
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(bootstrap, "installed_browser", lambda: None)
    monkeypatch.setattr(bootstrap, "install_browser", lambda: None)
    monkeypatch.setenv("CI", "true")
    with pytest.raises(SystemExit, match="apt install chromium"):
        bootstrap.find_browser()


def test_requirements_name_no_registry() -> None:
    for name in ("requirements.txt", bootstrap.SANDBOX, bootstrap.TEST):
        assert "://" not in (CHECKOUT / name).read_text()


# ---------------------------------------------------------------- all of it


def test_the_whole_shop_opens_survives_a_killed_worker_and_leaves_nothing_behind(state: Path) -> None:
    port = processes.free_port()
    env = {**bootstrap.environment(), "FOYER_STATE": str(state), "PORT": str(port)}
    for replaced in ("DATABASE_URL", "REDIS_URL", "SMTP_URL", "BASE_URL"):
        env.pop(replaced, None)  # other tests of this run set some
    command = [sys.executable, "-m", "sandbox.run"]
    runner = subprocess.Popen(command, cwd=CHECKOUT, env=env, stdout=subprocess.PIPE, text=True)
    assert runner.stdout
    said = ""
    while "Ctrl-C" not in said and (line := runner.stdout.readline()):
        said += line
    try:
        assert f"http://127.0.0.1:{port}" in said, said
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as page:
            assert page.status == 200

        first = child_of(runner.pid, "tasks.worker")
        assert first
        os.kill(first, signal.SIGKILL)
        until(lambda: child_of(runner.pid, "tasks.worker") not in (None, first))

        family = descendants(runner.pid)
        assert len(family) > 6
        runner.send_signal(signal.SIGINT)
        rest, _ = runner.communicate(timeout=30)
        assert "Closed" in rest
        assert runner.returncode == 0
        assert not any(alive(pid) for pid in family)
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
    finally:
        runner.kill()
        runner.communicate()


def child_of(parent: int, mark: str) -> int | None:
    for pid in descendants(parent):
        try:
            if mark in Path(f"/proc/{pid}/cmdline").read_text():
                return pid
        except OSError:
            continue
    return None


def descendants(root: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{root}/task").glob("*/children"):
        for pid in map(int, task.read_text().split()):
            found += [pid, *descendants(pid)]
    return found
