"""Makes the secrets of a new installation, once, and never touches those that exist.

`python first_start.py DIRECTORY` fills three folders, one for each kind of container, so that each sees only its own:

    app/       SECRET_KEY, DATABASE_URL, REDIS_URL    read into the environment by deploy/entrypoint
    postgres/  password
    valkey/    password, valkey.conf

`python first_start.py DIRECTORY rotate-key` puts a new SECRET_KEY in front of the present one: the new one signs, both
are accepted. Run it a second time, later, to let go of the old one.
"""

import secrets
import sys
from pathlib import Path

VALKEY_CONF = """\
bind * -::*
protected-mode yes
requirepass {password}
dir /data
appendonly yes
save ""
# Better to refuse than to forget: there is no cache in here.
maxmemory-policy noeviction
"""


def main(arguments: list[str]) -> None:
    if len(arguments) not in (1, 2) or arguments[1:] not in ([], ["rotate-key"]):
        sys.exit(__doc__)
    folder = Path(arguments[0])
    make_all(folder)
    if arguments[1:]:
        rotate_key(folder / "app" / "SECRET_KEY")


def make_all(folder: Path) -> None:
    database = make(folder / "postgres" / "password", token())
    valkey = make(folder / "valkey" / "password", token())
    make(folder / "valkey" / "valkey.conf", VALKEY_CONF.format(password=valkey))
    make(folder / "app" / "SECRET_KEY", token())
    make(folder / "app" / "DATABASE_URL", f"postgresql://foyer:{database}@postgres:5432/foyer")
    make(folder / "app" / "REDIS_URL", f"redis://:{valkey}@valkey:6379/0")


def make(file: Path, value: str) -> str:
    """Write the file unless it exists. Returns what it holds."""
    if file.exists():
        return file.read_text()
    file.parent.mkdir(parents=True, exist_ok=True)
    write(file, value)
    print(f"made {file}")
    return value


def write(file: Path, value: str) -> None:
    draft = file.with_name(f".{file.name}.new")
    draft.write_text(value)
    # The containers run under accounts of their own; the volume, mounted only where it is needed, is the wall.
    draft.chmod(0o444)
    draft.replace(file)


def rotate_key(file: Path) -> None:
    present = file.read_text().split(",")[0]
    write(file, f"{token()},{present}")
    print(f"{file} begins with a new key. Restart web and worker to use it.")


def token() -> str:
    return secrets.token_urlsafe(48)


if __name__ == "__main__":
    main(sys.argv[1:])
