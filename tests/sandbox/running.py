"""A sandbox process of its own, on free ports, and a shop's end of the webhooks to point it at."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import stripe

SECRET_KEY = "sk_test_sandbox_tests"
PUBLISHABLE_KEY = "pk_test_sandbox_tests"
WEBHOOK_SECRET = "whsec_sandbox_tests"
CHECKOUT = Path(__file__).parents[2]


@dataclass
class Sandbox:
    state: Path
    webhook_url: str = ""
    port: int = field(default_factory=lambda: free_port())
    smtp_port: int = field(default_factory=lambda: free_port())
    process: subprocess.Popen[bytes] | None = None
    http: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False))
    _clients: dict[tuple[str, float], stripe.StripeClient] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        env = os.environ | {
            "PYTHONPATH": str(CHECKOUT),
            "SANDBOX_PORT": str(self.port),
            "SANDBOX_SMTP_PORT": str(self.smtp_port),
            "SANDBOX_STATE": str(self.state),
            "SANDBOX_WEBHOOK_URL": self.webhook_url,
            "STRIPE_SECRET_KEY": SECRET_KEY,
            "STRIPE_PUBLISHABLE_KEY": PUBLISHABLE_KEY,
            "STRIPE_WEBHOOK_SECRET": f"{WEBHOOK_SECRET},whsec_being_rotated_out",
        }
        self.process = subprocess.Popen([sys.executable, "-m", "sandbox.server"], env=env, cwd=CHECKOUT)
        eventually(self._healthy, "the sandbox to answer", seconds=20)

    def kill(self) -> None:
        """As if the power went: no goodbye, no clean-up."""
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def stripe(self, *, key: str = SECRET_KEY, timeout: float = 10) -> stripe.StripeClient:
        if (key, timeout) not in self._clients:
            self._clients[key, timeout] = stripe.StripeClient(
                key,
                base_addresses={"api": self.url},
                http_client=stripe.HTTPXClient(timeout=timeout),
                max_network_retries=0,
            )
        return self._clients[key, timeout]

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        return dict(self.try_post(path, **body).raise_for_status().json())

    def try_post(self, path: str, **body: Any) -> httpx.Response:
        """For what may be refused."""
        return self.http.post(f"{self.url}/_sandbox/{path}", json=body)

    def state_now(self) -> dict[str, Any]:
        return dict(self.http.get(f"{self.url}/_sandbox/state").json())

    def as_page(self, path: str, **fields: str) -> httpx.Response:
        """A call that Stripe.js would make from a buyer's browser."""
        fields = {"key": PUBLISHABLE_KEY, **fields}
        return self.http.post(f"{self.url}/v1/payment_intents/{path}", data=fields)

    def _healthy(self) -> bool:
        assert self.process is None or self.process.poll() is None, "the sandbox ended at once"
        try:
            return self.http.get(f"{self.url}/_sandbox/health").status_code == 200
        except httpx.TransportError:
            return False


@dataclass
class Shop:
    """Receives webhooks and answers as told, 200 when told nothing."""

    answers: list[int] = field(default_factory=list)
    received: list[tuple[bytes, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        shop = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                shop.received.append((body, self.headers["Stripe-Signature"]))
                self.send_response(shop.answers.pop(0) if shop.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/stripe/webhook"

    def types(self) -> list[str]:
        return [json.loads(body)["type"] for body, _ in self.received]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def eventually(condition: Callable[[], Any], what: str, *, seconds: float = 8) -> Any:
    """Wait for the condition, not for a while."""
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, f"waited {seconds} s in vain for {what}"
        time.sleep(0.01)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
