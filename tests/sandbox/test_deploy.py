"""What a server starts from: secrets made once, an environment that the settings accept."""

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml  # type: ignore[import-untyped]

import settings

CHECKOUT = Path(__file__).resolve().parents[2]
FILLED_IN = {
    "DOMAIN": "tickets.example.org",
    "STRIPE_SECRET_KEY": "sk_live_x",
    "STRIPE_PUBLISHABLE_KEY": "pk_live_x",
    "STRIPE_WEBHOOK_SECRET": "whsec_x",
    "SMTP_URL": "smtp://mail.example.org:587",
}


def first_start(folder: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "deploy/first_start.py", folder, *arguments], cwd=CHECKOUT, check=True)


def secrets_of(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_secrets_are_made_on_first_start_and_never_again(tmp_path: Path) -> None:
    first_start(tmp_path)
    made = secrets_of(tmp_path)
    assert len(made) == 6
    assert made["postgres/password"] in made["app/DATABASE_URL"]
    assert made["valkey/password"] in made["valkey/valkey.conf"]
    first_start(tmp_path)
    assert secrets_of(tmp_path) == made


def test_a_rotated_key_keeps_the_old_one_valid_for_one_more_round(tmp_path: Path) -> None:
    first_start(tmp_path)
    old = (tmp_path / "app" / "SECRET_KEY").read_text()
    first_start(tmp_path, "rotate-key")
    new, kept = (tmp_path / "app" / "SECRET_KEY").read_text().split(",")
    assert kept == old != new
    first_start(tmp_path, "rotate-key")
    assert (tmp_path / "app" / "SECRET_KEY").read_text().endswith(f",{new}")


def test_web_and_worker_get_settings_that_production_accepts(tmp_path: Path) -> None:
    first_start(tmp_path)
    services = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())["services"]
    for name in ("web", "worker", "migrate"):
        told = {setting: fill_in(str(value)) for setting, value in services[name]["environment"].items()}
        found = settings.load(enter(tmp_path / "app", told))
        assert found.production
        assert found.base_url == "https://tickets.example.org"
        assert found.database_url == (tmp_path / "app" / "DATABASE_URL").read_text()


def fill_in(value: str) -> str:
    """As Compose does: ${NAME}, ${NAME:-default} and ${NAME:?complaint}, innermost first."""
    while "${" in value:
        value = re.sub(r"\$\{(\w+)(?::[-?]([^${}]*))?\}", lambda part: FILLED_IN.get(part[1], part[2] or ""), value)
    return value


def enter(secrets: Path, environment: dict[str, str]) -> dict[str, str]:
    """The environment behind deploy/entrypoint."""
    command = ["deploy/entrypoint", sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
    env = {"PATH": os.environ["PATH"], "FOYER_SECRETS": str(secrets), **environment}
    answer = subprocess.run(command, cwd=CHECKOUT, env=env, check=True, capture_output=True, text=True)
    return dict(yaml.safe_load(answer.stdout))


def test_what_is_set_already_wins_over_a_secret_file(tmp_path: Path) -> None:
    (tmp_path / "DATABASE_URL").write_text("postgresql://made")
    assert enter(tmp_path, {})["DATABASE_URL"] == "postgresql://made"
    assert enter(tmp_path, {"DATABASE_URL": "postgresql://theirs"})["DATABASE_URL"] == "postgresql://theirs"


def test_env_example_names_what_compose_insists_on() -> None:
    wanted = set(re.findall(r"\$\{(\w+):\?", (CHECKOUT / "docker-compose.yml").read_text()))
    offered = set(re.findall(r"^(\w+)=", (CHECKOUT / ".env.example").read_text(), re.MULTILINE))
    assert wanted == set(FILLED_IN)
    assert wanted <= offered
