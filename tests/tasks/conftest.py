"""A Redis of our own to lose, and worker processes to kill."""

import os
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox import redis
from sandbox.plan import SANDBOX_PUBLISHABLE_KEY, SANDBOX_SECRET_KEY
from sandbox.processes import end, free_port, launch, tail
from tests.conftest import ROOT, SECRET_KEY, WEBHOOK_SECRET, run_stripe_sandbox


class Doorbell:
    """A Redis that can be lost: the same address before and after."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self.start()

    def start(self) -> None:
        self._server = redis.start(self._folder, port=self._port)

    def stop(self) -> None:
        self._server.stop()

    @property
    def url(self) -> str:
        return self._server.url


@pytest.fixture(scope="package")
def doorbell(scratch):
    bell = Doorbell(scratch / "doorbell")
    yield bell
    bell.stop()


@pytest.fixture(scope="package")
def post_office(scratch):
    """Where the workers' mails go: the page that shows them, and the address they are sent to."""
    sandbox = run_stripe_sandbox(scratch / "workers-post", webhook_url="")
    with sandbox as url:
        yield url, f"smtp://127.0.0.1:{sandbox.smtp_port}"


@pytest.fixture
def worker(postgres_url, stripe_url, doorbell, post_office, scratch):
    """`with worker() as process:` a real worker, as an operator starts one."""
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "FOYER_ENV": "development",
        "BASE_URL": "http://127.0.0.1:8000",
        "SECRET_KEY": SECRET_KEY,
        "DATABASE_URL": postgres_url,
        "REDIS_URL": doorbell.url,
        "STRIPE_SECRET_KEY": SANDBOX_SECRET_KEY,
        "STRIPE_PUBLISHABLE_KEY": SANDBOX_PUBLISHABLE_KEY,
        "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "STRIPE_API_BASE": stripe_url,
        "SMTP_URL": post_office[1],
    }

    @contextmanager
    def run(**changes: str):
        log = scratch / "worker.log"
        process = launch([sys.executable, "-m", "tasks.worker"], log=log, env=env | changes, cwd=ROOT)
        try:
            yield process
        except BaseException:
            print(tail(log, 40))
            raise
        finally:
            end([(process, 15)])

    return run
