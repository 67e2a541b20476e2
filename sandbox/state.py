"""Where one checkout keeps what must survive a restart: data, secrets, logs, and who may run here.

As root, PostgreSQL has to run under another account, because it refuses uid 0. We use one that exists, make none,
and change no directory above our own; where that account cannot enter the checkout, the state lives elsewhere.
"""

import fcntl
import hashlib
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

CHECKOUT = Path(__file__).resolve().parent.parent


class CannotStart(Exception):
    """Foyer cannot start here; the message says what is in the way and what to do."""


@dataclass(frozen=True)
class Account:
    """An existing unprivileged account that services run under when we are root."""

    uid: int
    gid: int

    def can_enter(self, folder: Path) -> bool:
        return self.runs("/bin/sh", "-c", 'cd "$1"', "sh", str(folder))

    def runs(self, *command: str | Path) -> bool:
        try:
            return subprocess.run(command, capture_output=True, cwd="/", **self.privileges()).returncode == 0
        except OSError:
            return False

    def privileges(self) -> dict[str, Any]:
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def directory(checkout: Path = CHECKOUT, env: Mapping[str, str] = os.environ) -> Path:
    """The state directory of this checkout, made when missing. FOYER_STATE chooses another."""
    account = unprivileged_account()
    folder = _choose_directory(checkout, account, env)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if folder.stat().st_uid == os.geteuid():
            # The service account has to pass through ours to its own; nobody can list it.
            folder.chmod(0o711 if account else 0o700)
        for private in ("log", "sandbox"):
            (folder / private).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise CannotStart(
            f"{folder} cannot be used: {error.strerror}. It may belong to another account (a run as root?). "
            "Remove it, or set FOYER_STATE to a directory of your own."
        ) from error
    return folder


def _choose_directory(checkout: Path, account: Account | None, env: Mapping[str, str]) -> Path:
    if chosen := env.get("FOYER_STATE", "").strip():
        return Path(chosen).absolute()
    if account is None or account.can_enter(checkout):
        return checkout / ".foyer"
    name = hashlib.sha256(os.fsencode(checkout.resolve())).hexdigest()[:8]
    return Path("/var/lib") / f"foyer-{name}"


def unprivileged_account() -> Account | None:
    """Who services run as when we are root; None when we are not. Raises CannotStart when there is nobody."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            found = pwd.getpwnam(name)
            return Account(found.pw_uid, found.pw_gid)
    for found in pwd.getpwall():
        if found.pw_uid != 0:
            return Account(found.pw_uid, found.pw_gid)
    raise CannotStart("PostgreSQL does not run as root, and this machine has no other account. Run as a user.")


@contextmanager
def scratch() -> Iterator[Path]:
    """A state directory for a test: one that the services' account can enter, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="foyer-"))
    try:
        yield directory(env={"FOYER_STATE": str(folder)})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def lock(state: Path) -> TextIO | None:
    """Hold this state directory for our process's life, or None when another run holds it."""
    handle = (state / "lock").open("a")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        return None
    return handle


def kept_secret(file: Path) -> str:
    """A random secret made on first use and the same ever after, readable by its owner only."""
    with suppress(FileNotFoundError):
        if value := file.read_text().strip():
            return value
    file.parent.mkdir(parents=True, exist_ok=True)
    write_private(file, secrets.token_urlsafe(32))
    return file.read_text()


def write_private(file: Path, text: str) -> None:
    """Replace a file in one step, so that a crash leaves the old or the new one, never a half."""
    draft = file.with_name(file.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(text)
    draft.replace(file)
