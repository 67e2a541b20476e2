"""Programs that nobody here wrote, fetched once, pinned by hash, and kept beside this Python's packages.

They speak Stripe's API from the other side, so that our client and our stand-in cannot be wrong together. Where they
come from is the machine's own npm and pip configuration. A machine that cannot get them skips those tests and says
why; a file that is not what the hash says fails them.
"""

import base64
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

KEPT = Path(sys.prefix) / "independent-clients"
CLI_VERSION = "1.52.0"
# The packages that carry the program itself; the wrapper that chooses between them is not needed.
CLI_PACKAGES = {
    ("Linux", "x86_64"): (
        "@stripe/cli-linux-x64",
        "sha512-q5x2AIP0ZSujN7iJNIdSPerRfQ/08OTWw9ukhCyxvlo2JAfu6xf8cIGhyDv6vZsQuoh4cn3c2tNJ0J+oY+Z37Q==",
    ),
}
LOCALSTRIPE = Path(__file__).parent / "localstripe.txt"
PATIENCE = 300


def stripe_cli() -> Path:
    """Stripe's own command line program: yours (STRIPE_CLI=…), or the pinned one by way of npm."""
    if yours := os.environ.get("STRIPE_CLI"):
        return Path(yours)
    program = KEPT / f"stripe-{CLI_VERSION}"
    if not program.exists():
        _fetch_cli(program)
    return program


def localstripe() -> Path:
    """The Python of an environment of its own that holds localstripe, so that its packages are not ours."""
    home = KEPT / ("localstripe-" + hashlib.sha256(LOCALSTRIPE.read_bytes()).hexdigest()[:12])
    python = home / "bin" / "python"
    if not (home / "complete").exists():
        _run([sys.executable, "-m", "venv", "--clear", str(home)], "making an environment for localstripe")
        install = [str(python), "-m", "pip", "install", "--quiet", "--no-input", "--only-binary", ":all:"]
        _run([*install, "--require-hashes", "-r", str(LOCALSTRIPE)], "installing localstripe with pip")
        (home / "complete").touch()
    return python


def _fetch_cli(program: Path) -> None:
    machine = (platform.system(), platform.machine())
    if machine not in CLI_PACKAGES:
        pytest.skip(f"the Stripe CLI is not pinned for {' '.join(machine)}; name yours with STRIPE_CLI=/path/to/stripe")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm to fetch the Stripe CLI with; install npm, or name yours with STRIPE_CLI=/path/to/stripe")
    package, integrity = CLI_PACKAGES[machine]
    KEPT.mkdir(exist_ok=True)
    archive = KEPT / f"{package.split('/')[1]}-{CLI_VERSION}.tgz"
    # `pack` only downloads: no script of any package runs.
    _run([npm, "pack", f"{package}@{CLI_VERSION}", "--loglevel=error", "--pack-destination", str(KEPT)], "npm pack")
    (found,) = KEPT.glob(f"*{archive.name}")
    check(found, integrity)
    draft = program.with_suffix(".part")
    with tarfile.open(found) as files, draft.open("wb") as out:
        content = files.extractfile("package/bin/stripe")
        assert content is not None
        shutil.copyfileobj(content, out)
    draft.chmod(0o755)
    draft.replace(program)
    found.unlink()


def check(file: Path, integrity: str) -> None:
    algorithm, _, wanted = integrity.partition("-")
    digest = base64.b64encode(hashlib.new(algorithm, file.read_bytes()).digest()).decode()
    assert digest == wanted, f"{file.name} is not the file that was pinned"


def _run(command: list[str], what: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd=KEPT.parent)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{what} took more than {PATIENCE} s")
    if done.returncode:
        assert "THESE PACKAGES DO NOT MATCH THE HASHES" not in done.stderr, done.stderr
        said = " ".join(done.stderr.split())[:200]
        pytest.skip(f"{what} did not work; without a network this cannot run: {said}")
