"""The first steps on a bare machine: an environment of our own from pinned, hashed packages, then the verb asked for.

Runs under the system's Python with the standard library only. `make X` and `python3 sandbox/bootstrap.py X` are the
same. Older Pythons must be able to read this file, so that it can tell them what is missing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "foyer-requirements"
SANDBOX = "requirements/sandbox.txt"
TEST = "requirements/test.txt"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def main() -> None:
    verbs = {
        "run": run,
        "test": test,
        "stripe-live-check": stripe_live_check,
        "check": check,
        "format": format_code,
        "migrate": migrate,
        "audit": audit,
        "bench": bench,
        "bench-settlement": bench_settlement,
        "bench-orders": bench_orders,
        "rehearse": rehearse,
        "lock": lock,
        "help": show_help,
    }
    verb = sys.argv[1] if len(sys.argv) > 1 else "help"
    if verb not in verbs:
        raise SystemExit(f"There is no “{verb}”. Try: {', '.join(verbs)}.")
    os.chdir(ROOT)
    require_python()
    verbs[verb](sys.argv[2:])


def run(arguments: list[str]) -> None:
    install(SANDBOX)
    become("-m", "sandbox.run", *arguments)


def test(arguments: list[str]) -> None:
    install(TEST)
    find_browser()
    become("-m", "pytest", *arguments)


def stripe_live_check(arguments: list[str]) -> None:
    """The scenarios of tests/provider at Stripe itself. Needs STRIPE_TEST_SECRET_KEY, and says how to get one."""
    install(TEST)
    become("-m", "tests.provider", *arguments)


def check(arguments: list[str]) -> None:
    """Everything that is read rather than run; stops at the end, so that one run shows all complaints."""
    install(TEST)
    failed = [words for words, command in CHECKS.items() if not passes(words, command)]
    if failed:
        raise SystemExit("Not yet: " + ", ".join(failed) + ".")


CHECKS = {
    "format": ("-m", "ruff", "format", "--check", "."),
    "lint": ("-m", "ruff", "check", "."),
    "house": ("-m", "pytest", "tests/test_house.py"),
    "migration drift": ("-m", "pytest", "tests/models/test_drift.py"),
    "types": ("-m", "mypy"),
}


def passes(words: str, command: tuple[str, ...]) -> bool:
    print(f"— {words}", flush=True)
    return subprocess.run([PYTHON, *command], env=environment()).returncode == 0


def format_code(arguments: list[str]) -> None:
    install(TEST)
    subprocess.run([PYTHON, "-m", "ruff", "check", "--fix", "."], env=environment())
    become("-m", "ruff", "format", ".")


def migrate(arguments: list[str]) -> None:
    install(SANDBOX)
    become("-m", "sandbox.run", "--only", "migrate", *arguments)


def audit(arguments: list[str]) -> None:
    install(SANDBOX)
    become("-m", "sandbox.run", "--only", "audit", *arguments)


def bench(arguments: list[str]) -> None:
    install(SANDBOX)
    become("-m", "bench.footprint", *arguments)


def bench_settlement(arguments: list[str]) -> None:
    install(SANDBOX)
    become("-m", "bench.settlement", *arguments)


def bench_orders(arguments: list[str]) -> None:
    install(SANDBOX)
    become("-m", "bench.orders", *arguments)


def rehearse(arguments: list[str]) -> None:
    """Against the open shop of this checkout."""
    install(SANDBOX)
    from sandbox.state import directory

    try:
        shop = json.loads((directory() / "running.json").read_text())["environment"]
    except OSError:
        raise SystemExit("The shop is closed. Open it first: make run.") from None
    become("-m", "bench.rehearse", shop["BASE_URL"], shop["DATABASE_URL"], *arguments)


def lock(arguments: list[str]) -> None:
    """Pin again. Writes no registry's address, because everybody installs from their own."""
    uv = shutil.which("uv")
    if uv is None:
        raise SystemExit("Locking needs uv (one time): pip install uv")
    compile_ = [uv, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes"]
    plain = ["--no-strip-extras", "--no-emit-index-url", "--no-emit-find-links", "--no-header", *arguments]
    for name, output in (("app", "requirements.txt"), ("sandbox", SANDBOX), ("test", TEST)):
        subprocess.run([*compile_, *plain, f"requirements/{name}.in", "-o", output], check=True)


def show_help(arguments: list[str]) -> None:
    for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines():
        target, mark, words = line.partition("##")
        if mark and ":" in target:
            print(f"  make {target.split(':')[0]:<17} {words.strip()}")


# ---------------------------------------------------------------- the environment


def require_python() -> None:
    if os.name != "posix":
        raise SystemExit("Foyer's own runner needs Linux or macOS. Elsewhere use a container: docs/operations.md.")
    if sys.version_info >= (3, 11):  # noqa: UP036 — this is the check
        return
    for minor in range(14, 10, -1):
        newer = shutil.which(f"python3.{minor}")
        if newer and subprocess.run([newer, "-c", ""], capture_output=True).returncode == 0:
            os.execv(newer, [newer, *sys.argv])
    raise SystemExit("Foyer needs Python 3.11 or newer; this is {}.{}.".format(*sys.version_info))


def install(requirements: str) -> None:
    """Make .venv hold these requirements. Does nothing when it already does."""
    if up_to_date(requirements):
        return
    from sandbox.progress import say

    VENV.mkdir(exist_ok=True)
    with only_one():
        if up_to_date(requirements):
            return
        say("Preparing Foyer. This happens once, and again when its packages change.")
        make_environment()
        install_packages(requirements)
        STAMP.write_text("".join(stamp(name) + "\n" for name in included(requirements)))


def up_to_date(requirements: str) -> bool:
    try:
        return stamp(requirements) in STAMP.read_text().splitlines() and works()
    except OSError:
        return False


def stamp(requirements: str) -> str:
    return requirements + " " + hashlib.sha256((ROOT / requirements).read_bytes()).hexdigest()


def included(requirements: str) -> tuple[str, ...]:
    """The test requirements contain the sandbox's, so that `make run` after `make test` installs nothing."""
    return (SANDBOX, TEST) if requirements == TEST else (requirements,)


def works() -> bool:
    """Whether the environment's Python is there and is the one its packages were installed for."""
    found = list((VENV / "lib").glob("python3.*"))
    command = [str(PYTHON), "-I", "-S", "-c", "import sys; print('python3.%d' % sys.version_info[1])"]
    answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return answer.stdout.decode().strip() in [folder.name for folder in found]


class only_one:
    """One installation at a time in one checkout (`make -j`, two terminals)."""

    def __enter__(self) -> None:
        import fcntl

        self.handle = (VENV / "foyer.lock").open("w")
        fcntl.flock(self.handle, fcntl.LOCK_EX)

    def __exit__(self, *problem: object) -> None:
        self.handle.close()


def make_environment() -> None:
    if PYTHON.exists() and works() and has_pip():
        return
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        raise SystemExit(
            "This Python cannot make environments. On Debian and Ubuntu install its venv module, then try again:\n\n"
            "    apt install python3-venv\n"
        ) from None
    # --clear would take our own lock and log away; a broken environment is made again from its parts instead.
    for part in ("bin", "lib", "lib64", "include", "pyvenv.cfg", STAMP.name):
        remove(VENV / part)
    wait_for([sys.executable, "-m", "venv", str(VENV)], "Making a Python environment in .venv")


def has_pip() -> bool:
    if subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True).returncode == 0:
        return True
    return subprocess.run([PYTHON, "-m", "ensurepip"], capture_output=True).returncode == 0


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.exists() or path.is_symlink():
        path.unlink()


def install_packages(requirements: str) -> None:
    """The person's pip configuration decides where packages come from; the hashes decide what they are.

    Wheels only: building from source would fetch build tools that no hash holds. No dependencies beyond the list:
    it is whole, and a resolver that meets `pydantic[email]` where `pydantic` is pinned would look for a newer one.
    """
    count = (ROOT / requirements).read_text().count("==")
    command = [PYTHON, "-m", "pip", "install", "--no-input", "--no-deps", "--only-binary", ":all:"]
    command += ["--require-hashes", "-r", requirements]
    wait_for([str(part) for part in command], f"Installing {count} packages", count_of="Collecting ")


def wait_for(command: list[str], words: str, count_of: str = "") -> None:
    """Run quietly, showing how far it is; the noise goes to a log, whose end is shown on failure."""
    from sandbox.progress import step

    log = VENV / "foyer-install.log"
    with log.open("wb") as noise, step(words) as tick:
        process = subprocess.Popen(command, stdout=noise, stderr=noise, stdin=subprocess.DEVNULL, env=environment())
        while process.poll() is None:
            done = log.read_bytes().count(count_of.encode()) if count_of else 0
            tick(f"{done} so far" if done else "")
            time.sleep(0.2)
        if process.returncode:
            end = "\n".join("    " + line for line in log.read_text(errors="replace").splitlines()[-15:])
            raise SystemExit(f"\nThat did not work. The end of {log}:\n{end}")


def environment() -> dict[str, str]:
    """Ours, plus the checkout on the path; compiled modules are kept, or every start would compile everything."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, "PYTHONPATH": str(ROOT)}


def become(*arguments: str) -> None:
    """Replace this process, so that Ctrl-C and signals reach the one that matters."""
    sys.stdout.flush()
    os.execve(PYTHON, [str(PYTHON), *arguments], environment())


# ---------------------------------------------------------------- the browser


def find_browser() -> None:
    """The journeys need Chromium: the machine's, installed when we may, asked for when we may not."""
    if os.environ.get("CHROMIUM"):
        return
    browser = installed_browser() or install_browser()
    if browser:
        os.environ["CHROMIUM"] = browser
        return
    message = (
        "The browser tests need Chromium. Install it, then try again:\n\n"
        "    Debian, Ubuntu   sudo apt install chromium\n"
        "    Fedora           sudo dnf install chromium\n"
        "    Arch             sudo pacman -S chromium\n"
        "    macOS            brew install --cask chromium\n\n"
        "or name one you have: make test CHROMIUM=/path/to/chromium\n"
    )
    if os.environ.get("CI") == "true":
        raise SystemExit(message)
    print(message + "Going on without them; this is not the whole suite.\n", flush=True)


def installed_browser() -> str | None:
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


def install_browser() -> str | None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    quiet = ["apt-get", "-q", "-y"]
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    try:
        wait_for([*quiet, "update"], "Asking the system what it can install")
        wait_for([*quiet, "install", "--no-install-recommends", "chromium"], "Installing Chromium")
    except SystemExit as problem:
        print(problem, flush=True)
    return installed_browser()


if __name__ == "__main__":
    # As a script our own folder comes first, and its redis.py would be everybody's redis.
    sys.path[0] = str(ROOT)
    main()
