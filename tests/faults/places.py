"""The places at which a process can be killed: the moments between two facts that belong together.

Each is a patch that the launcher (crashing.py) makes in its own process and nobody else has: when execution comes by
for the first time, the process sends itself SIGKILL. Nothing is cleaned up, nobody says goodbye, and the answer that
was on its way stays unread.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from uuid import UUID

from litestar import Response
from litestar.background_tasks import BackgroundTask

from models import stock
from services import (
    checkout,
    comparison,
    disputes,
    lanes,
    mail,
    notices,
    outbox,
    pace,
    reconciliation,
    refunds,
    reservations,
    seats,
    settlement,
    tickets,
)
from services.gateway import Notice
from services.reservations import HoldRequest
from services.stripe_gateway import PacedClient, StripeGateway
from tasks import queue
from web import webhooks

ANYTHING = object()


@dataclass(frozen=True)
class Place:
    """`sentence` says where, for people; `arm` makes the patch."""

    sentence: str
    arm: Callable[[], None]


def die(*_: Any, **__: Any) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody survives this")


async def die_there(*_: Any, **__: Any) -> NoReturn:
    die()


def before(owner: Any, name: str) -> Callable[[], None]:
    """Instead of doing it."""

    def arm() -> None:
        assert hasattr(owner, name), f"there is no {owner}.{name} any more"
        setattr(owner, name, die_there)

    return arm


def after(owner: Any, name: str, *, once_it_said: object = ANYTHING) -> Callable[[], None]:
    """When it has been done, and nobody has heard yet."""

    def arm() -> None:
        honest = getattr(owner, name)

        async def do_and_die(*args: Any, **kwargs: Any) -> Any:
            answer = await honest(*args, **kwargs)
            if once_it_said is ANYTHING or once_it_said == answer:
                die()
            return answer

        setattr(owner, name, do_and_die)

    return arm


def unread(verb: str) -> Callable[[], None]:
    """The provider has done what was asked; its answer lies there unread."""

    def arm() -> None:
        honest = PacedClient.request_async

        async def ask_and_die(
            self: PacedClient, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
        ) -> tuple[bytes, int, Mapping[str, str]]:
            answer = await honest(self, method, url, headers, post_data)
            if method == "post" and url.endswith(verb):
                die()
            return answer

        PacedClient.request_async = ask_and_die  # type: ignore[method-assign]

    return arm


def after_note(kind: str) -> Callable[[], None]:
    """When a note of that kind has been written, in a transaction that is still open."""

    def arm() -> None:
        honest = outbox.write

        async def write_and_die(written: str, subject: Any, **options: Any) -> None:
            await honest(written, subject, **options)
            if written == kind:
                die()

        outbox.write = write_and_die  # type: ignore[assignment]

    return arm


def after_the_answer() -> None:
    """The provider is told that its notice is kept, nobody hears the ring, and then the process is gone."""
    honest, rang = webhooks._answer, set()

    async def ring_in_vain(job: str) -> None:
        rang.add(asyncio.current_task())

    def answer_and_die(words: str, *, status_code: int = 200) -> Response[str]:
        response = honest(words, status_code=status_code)
        if asyncio.current_task() in rang:
            response.background = BackgroundTask(die_there)
        return response

    queue.ring = ring_in_vain
    webhooks._answer = answer_and_die


def answer_before_keeping() -> None:
    """A mutant: the notice is answered, and would be kept only then."""

    async def keep_later(notice: Notice) -> bool:
        return True

    notices.keep = keep_later
    after_the_answer()


def ring_for_ever() -> None:
    """A mutant: nobody gives up on a Redis that is silent."""
    queue.PATIENCE_SECONDS = 3600.0


def _after_the_batch() -> None:
    """The turnstile holds on to the function itself."""
    turnstile = reservations._turnstile
    honest = turnstile._serve

    async def serve_and_die(event_id: UUID, requests: list[HoldRequest]) -> NoReturn:
        await honest(event_id, requests)
        die()

    turnstile._serve = serve_and_die


def _at_the_first_pair() -> None:
    comparison._matching = die


PLACES = {
    # Settling
    "decided, not committed": Place("what to do is decided, not yet committed", after(settlement, "_decide")),
    "seats taken again": Place("the seats taken again, not yet committed", after(stock, "write_reservations")),
    "pinned": Place("after the pin, before the capture", before(StripeGateway, "capture")),
    "capture unread": Place("the capture was sent, its answer not yet read", unread("/capture")),
    "captured": Place("after the capture, before anything of it was written", before(settlement, "_finalise")),
    "finalised, not committed": Place("all of the order written, not yet committed", after(settlement, "_finalise")),
    "half finalised": Place("seats consumed, the order not yet written", after(stock, "consume_holds")),
    "paid": Place("the order committed, no ticket made", before(tickets, "issue")),
    "half issued": Place("tickets written, the order not yet completed", after(tickets, "_write_tickets")),
    "letting go": Place("letting go decided, the provider not yet told", before(StripeGateway, "cancel")),
    "let go": Place("the authorisation cancelled, not yet written down", unread("/cancel")),
    "voided, not committed": Place("voided, with its mail, not yet committed", after(settlement, "_void")),
    "given up, not committed": Place("a capture given up, not yet committed", after(settlement, "_give_up")),
    # The worker's own work
    "notice claimed": Place("a notice claimed, not yet handled", before(notices, "_handle")),
    "note claimed": Place("an outbox row claimed, its deed not yet done", before(outbox, "_do")),
    "piece done": Place("a piece of work done, not yet struck", after(lanes, "do")),
    "mail sent": Place("the mail sent, its row not yet struck", after(mail, "_send")),
    "asking claimed": Place("a payment claimed by the reconciler, not yet asked about", before(reconciliation, "ask")),
    "cancelled, not expired": Place("the sweeper has cancelled, not yet expired", before(stock, "release_overdue")),
    "comparing": Place("the comparison has found a difference, not yet looked again", before(comparison, "look_again")),
    "half compared": Place("in the middle of comparing the provider's list", _at_the_first_pair),
    # Money that goes back
    "refund unsent": Place("a refund written, not yet sent", before(StripeGateway, "refund")),
    "refund unread": Place("a refund sent, its answer not yet read", unread("/v1/refunds")),
    "refund uncommitted": Place("a refund's answer written, not yet committed", after_note("refund_mail")),
    "refund failed": Place("a refund given up, not yet looked who was first", before(refunds, "sync")),
    "seats returned, not committed": Place("seats back on sale, not yet committed", after(stock, "return_seats")),
    "seats taken back, not committed": Place("seats taken back, not yet committed", after(stock, "take_seats_back")),
    "dispute won": Place("a dispute written as won, its tickets not yet valid again", before(disputes, "_call_off")),
    # The web's own work
    "hold unlocked": Place("before the event's lock", before(stock, "lock")),
    "hold locked": Place("the event's lock held, nothing written", after(stock, "lock")),
    "hold written": Place("the hold written, not yet committed", after(reservations, "_write")),
    "hold committed": Place("the hold committed, the buyer not yet answered", _after_the_batch),
    "place taken": Place("a place in line taken, not yet committed", after(pace, "place_in_line")),
    "payment written": Place("the payment's row committed, no intent yet", before(StripeGateway, "create")),
    "intent unread": Place("the intent made, the answer not yet read", unread("/v1/payment_intents")),
    "intent not opened": Place("the intent made, not yet written down", after(checkout, "_create_intent")),
    "given back": Place("tickets given back, the provider not yet told", before(checkout, "_let_go")),
    "free, not committed": Place("a free order written, not yet committed", after(settlement, "_finalise")),
    "free, unanswered": Place("a free order complete, the buyer not yet answered", after(settlement, "settle_free")),
    "refund asked for": Place("a refund committed, the desk not yet answered", after(refunds, "request")),
    "seats returned": Place("seats back on sale, the desk not yet answered", after(refunds, "return_seats")),
    "seats taken back": Place("seats taken back, the desk not yet answered", after(seats, "take_back")),
    "notice kept": Place("a notice kept, the provider not yet answered", after(notices, "keep", once_it_said=True)),
    "ring lost": Place("the provider answered, the ring lost", after_the_answer),
}

# Not places, but houses with a guard taken out.
MUTANTS = {
    "answered before kept": Place("a notice answered, not yet kept", answer_before_keeping),
    "patient ring": Place("a ring that waits for ever", ring_for_ever),
}
