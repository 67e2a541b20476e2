"""Our gateway against localstripe, a Stripe stand-in by other people, as far as it goes.

It proves that the gateway speaks to a server that nobody here wrote: the addresses, the form encoding, the list
format, and how it reads intents and refunds that it did not see being made. It stops short of a whole purchase because
localstripe speaks an older API: it refuses what the pinned version asks for (`allowed_payment_method_types`, a refund's
`reason`, lists by `created`), leaves out `amount_received`, and knows no disputes. Each stop is pinned below, so that a
newer localstripe that goes further is noticed.
"""

import subprocess
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from domain.refunds import RefundReason, RefundStatus
from services.gateway import Intent, IntentStatus, RequestRefused
from services.stripe_gateway import StripeGateway
from tests.sandbox import clients
from tests.sandbox.running import SECRET_KEY, WEBHOOK_SECRET, eventually, free_port

pytestmark = pytest.mark.usefixtures("pool")  # the gateway's pace is kept in the database
SERVER = Path(__file__).parent / "localstripe_server.py"
PAYMENT_ID = UUID("0b1f7f5e-8f3c-4c57-9c5e-0f2a5b6c7d8e")
CARD = {
    "type": "card",
    "card[number]": "4242424242424242",
    "card[exp_month]": "12",
    "card[exp_year]": "2040",
    "card[cvc]": "123",
}


class Localstripe:
    """The other side, spoken to by hand."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = httpx.Client(base_url=url, auth=(SECRET_KEY, ""), trust_env=False)

    def is_up(self) -> bool:
        try:
            return self.client.get("/v1/payment_intents").status_code == 200
        except httpx.TransportError:
            return False

    def look(self, intent: str) -> dict[str, Any]:
        return dict(self.client.get(f"/v1/payment_intents/{intent}").raise_for_status().json())

    def make(self, path: str, **fields: str) -> dict[str, Any]:
        return dict(self.client.post(f"/v1/{path}", data=fields).raise_for_status().json())

    def authorised(self) -> dict[str, Any]:
        """What the buyer's page and our create would have done together, in the API that localstripe knows."""
        method = self.make("payment_methods", **CARD)
        return self.make(
            "payment_intents",
            amount="8400",
            currency="eur",
            capture_method="manual",
            payment_method=method["id"],
            confirm="true",
            **{"metadata[payment_id]": str(PAYMENT_ID)},
        )

    def paid(self) -> dict[str, Any]:
        return self.make(f"payment_intents/{self.authorised()['id']}/capture")


@pytest.fixture(scope="module")
def localstripe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localstripe]:
    python, port = clients.localstripe(), free_port()
    log = tmp_path_factory.mktemp("localstripe") / "log"
    with log.open("wb") as noise:
        process = subprocess.Popen([str(python), str(SERVER), str(port)], stdout=noise, stderr=noise, cwd=log.parent)
    other = Localstripe(f"http://127.0.0.1:{port}")

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        return other.is_up()

    try:
        eventually(answers, "localstripe to answer", seconds=20)
        yield other
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
async def gateway(localstripe: Localstripe) -> AsyncIterator[StripeGateway]:
    ours = StripeGateway(secret_key=SECRET_KEY, api_base=localstripe.url, webhook_secrets=(WEBHOOK_SECRET,))
    yield ours
    await ours.close()


async def test_it_stops_at_our_first_call_whose_parameter_is_too_new_for_it(gateway: StripeGateway) -> None:
    with pytest.raises(RequestRefused, match="Unexpected allowed_payment_method_types"):
        await gateway.create(payment_id=uuid4(), attempt=0, amount=8400, currency="EUR")


async def test_an_authorised_intent_made_the_old_way_is_read(gateway: StripeGateway, localstripe: Localstripe) -> None:
    made = localstripe.authorised()
    assert await gateway.retrieve(made["id"]) == Intent(
        reference=made["id"],
        status=IntentStatus.AUTHORISED,
        amount=8400,
        currency="EUR",
        payment_id=PAYMENT_ID,
        client_secret=made["client_secret"],
        was_agreed=True,
    )


async def test_our_capture_takes_the_money_there(gateway: StripeGateway, localstripe: Localstripe) -> None:
    made = localstripe.authorised()
    with pytest.raises(AttributeError, match="amount_received"):  # what was taken is not in its answer
        await gateway.capture(made["id"])
    found = localstripe.look(made["id"])
    assert (found["status"], found["charges"]["data"][0]["captured"]) == ("succeeded", True)


async def test_our_cancel_lets_the_intent_go_there(gateway: StripeGateway, localstripe: Localstripe) -> None:
    made = localstripe.authorised()
    assert (await gateway.cancel(made["id"])).status == IntentStatus.CANCELLED
    assert localstripe.look(made["id"])["status"] == "canceled"


async def test_an_intent_of_nobody_is_a_definite_no(gateway: StripeGateway) -> None:
    with pytest.raises(RequestRefused):
        await gateway.retrieve("pi_nowhere")


async def test_a_refund_made_by_hand_is_found_and_read(gateway: StripeGateway, localstripe: Localstripe) -> None:
    made = localstripe.paid()
    assert await gateway.refunds_of(made["id"]) == []
    by_hand = localstripe.make("refunds", payment_intent=made["id"], amount="1200")
    (refund,) = await gateway.refunds_of(made["id"])
    assert (refund.reference, refund.intent, refund.refund_id) == (by_hand["id"], made["id"], None)
    assert (refund.status, refund.amount, refund.currency) == (RefundStatus.SUCCEEDED, 1200, "EUR")


async def test_it_stops_at_refunds_lists_by_time_and_disputes(gateway: StripeGateway, localstripe: Localstripe) -> None:
    made = localstripe.paid()
    with pytest.raises(RequestRefused, match="Unexpected reason"):
        await gateway.refund(
            refund_id=uuid4(),
            attempt=0,
            reference=made["id"],
            amount=100,
            currency="EUR",
            reason=RefundReason.DUPLICATE,
        )
    with pytest.raises(RequestRefused, match="Unexpected created"):
        async for _ in gateway.intents_since(datetime(2026, 1, 1, tzinfo=UTC)):
            pass
    with pytest.raises(RequestRefused, match="404"):
        await gateway.disputes_of(made["id"])
