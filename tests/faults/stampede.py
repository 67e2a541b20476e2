"""A crowd at the doors: buyers who pay, are declined, are asked by their bank, dawdle, leave, come back, press twice.

They speak HTTP to the shop as a page does, ask again when nobody answers, and remember what they were told.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random

import httpx

from models import database as db
from sandbox.plan import SANDBOX_SECRET_KEY
from services import links
from tests.conftest import StripeSandbox
from tests.makers import Made, let_time_run_out

FINE, DECLINED, ASKS = "4242424242424242", "4000000000000002", "4000002500003155"
SCRIPT = {"HX-Request": "true", "Sec-Fetch-Site": "same-origin"}
BUSY = (202, 500, 502, 503)
AGREED = "the bank agreed"


class Fate(StrEnum):
    """What a buyer is going to do, and how many of a hundred do it."""

    PAYS = "pays"
    PAYS_AND_CLOSES_THE_PAGE = "pays and closes the page"
    PAYS_IN_ONE_OF_TWO_TABS = "opens two tabs, pays in one"
    APPROVES = "asked by the bank, approves"
    REJECTS_THEN_APPROVES = "rejects, then approves"
    REJECTS = "rejects and leaves"
    IS_DECLINED_THEN_PAYS = "declined, then pays"
    IS_DECLINED = "declined and leaves"
    LEAVES = "leaves"
    PAYS_TOO_LATE = "pays when the time is over"
    GIVES_BACK = "gives the tickets back"


SHARES = {
    Fate.PAYS: 14,
    Fate.PAYS_AND_CLOSES_THE_PAGE: 12,
    Fate.PAYS_IN_ONE_OF_TWO_TABS: 6,
    Fate.APPROVES: 8,
    Fate.REJECTS_THEN_APPROVES: 4,
    Fate.REJECTS: 8,
    Fate.IS_DECLINED_THEN_PAYS: 6,
    Fate.IS_DECLINED: 10,
    Fate.LEAVES: 16,
    Fate.PAYS_TOO_LATE: 8,
    Fate.GIVES_BACK: 8,
}


@dataclass
class Buyer:
    number: int
    fate: Fate
    quantity: int
    request_key: str
    patience: int  # how often they ask for tickets that others hold
    page: str = ""
    saw: list[str] = field(default_factory=list)  # AGREED among it, when their bank did
    stood_in_line: bool = False

    @property
    def email(self) -> str:
        return f"buyer-{self.number}@example.org"


def make_buyers(number: int, chance: Random) -> list[Buyer]:
    fates = chance.choices(list(SHARES), weights=list(SHARES.values()), k=number)
    return [
        Buyer(
            number=n,
            fate=fate,
            quantity=chance.choice([1, 1, 1, 2]),
            request_key=f"stampede-{chance.getrandbits(64):016x}",
            patience=chance.randint(2, 5),
        )
        for n, fate in enumerate(fates)
    ]


class Crowd:
    def __init__(self, event: Made, browser: httpx.AsyncClient, stripe: StripeSandbox, chance: Random) -> None:
        self._event, self._browser, self._stripe, self._chance = event, browser, stripe, chance

    async def visit(self, buyer: Buyer) -> None:
        """One buyer, from the event's page to wherever their fate leads."""
        await self._dawdle(0.3)
        if not await self._hold(buyer):
            buyer.saw.append("sold out")
            return
        await FATES[buyer.fate](self, buyer)

    # What they do

    async def pay(self, buyer: Buyer) -> None:
        await self._confirm(buyer, await self._card(buyer))
        await self._watch(buyer)

    async def pay_and_close(self, buyer: Buyer) -> None:
        await self._confirm(buyer, await self._card(buyer))

    async def pay_in_one_of_two_tabs(self, buyer: Buyer) -> None:
        secrets = set(await asyncio.gather(self._card(buyer), self._card(buyer))) - {None}
        for secret in secrets:
            await self._confirm(buyer, secret)
        await asyncio.gather(self._watch(buyer), self._watch(buyer))

    async def approve(self, buyer: Buyer) -> None:
        await self._answer_bank(buyer, await self._card(buyer), "success")
        await self._watch(buyer)

    async def reject_then_approve(self, buyer: Buyer) -> None:
        secret = await self._card(buyer)
        await self._answer_bank(buyer, secret, "fail")
        await self._look(buyer)
        await self._answer_bank(buyer, secret, "success")
        await self._watch(buyer)

    async def reject(self, buyer: Buyer) -> None:
        await self._answer_bank(buyer, await self._card(buyer), "fail")
        await self._look(buyer)
        await self.run_out(buyer)

    async def be_declined_then_pay(self, buyer: Buyer) -> None:
        secret = await self._card(buyer)
        await self._confirm(buyer, secret, DECLINED)
        await self._look(buyer)
        await self._confirm(buyer, secret)
        await self._watch(buyer)

    async def be_declined(self, buyer: Buyer) -> None:
        await self._confirm(buyer, await self._card(buyer), DECLINED)
        await self._look(buyer)
        await self.run_out(buyer)

    async def leave(self, buyer: Buyer) -> None:
        await self._card(buyer)
        await self.run_out(buyer)

    async def pay_too_late(self, buyer: Buyer) -> None:
        secret = await self._card(buyer)
        await self.run_out(buyer)
        await self._dawdle(1.5)
        await self._confirm(buyer, secret)
        await self._watch(buyer)

    async def give_back(self, buyer: Buyer) -> None:
        await self._card(buyer)
        await self._ask("POST", f"{buyer.page}/release")

    async def run_out(self, buyer: Buyer) -> None:
        """A quarter of an hour goes by, for this buyer."""
        await let_time_run_out(checkout_of(buyer))

    # What they see

    async def last_look(self, buyer: Buyer) -> str:
        """What their page says when all is over: “tickets”, “nothing charged”, or something that must not be."""
        if not buyer.page:
            return "nothing charged"
        answer = await self._ask("GET", buyer.page, follow_redirects=True)
        if "/orders/" in answer.url.path and "You’re going" in answer.text:
            return "tickets"
        if answer.status_code == 410 and "Your payment came too late" in answer.text:
            return "too late" if "You were not charged: if your bank shows" in answer.text else answer.text
        not_charged = answer.status_code == 410 and "You have not been charged." in answer.text
        return "nothing charged" if not_charged else f"{answer.status_code} {answer.url}"

    async def _hold(self, buyer: Buyer) -> bool:
        wish = {"request_key": buyer.request_key, f"qty-{self._event.types['General']}": str(buyer.quantity)}
        for _ in range(buyer.patience):
            answer = await self._ask("POST", f"/events/{self._event.slug}/checkouts", data=wish, headers=SCRIPT)
            if answer.status_code == 204:
                buyer.page = answer.headers["HX-Redirect"]
                return True
            assert answer.status_code == 409, f"{answer.status_code} to a buyer who asked for tickets"
            await self._dawdle(4.0)
        return False

    async def _card(self, buyer: Buyer) -> str | None:
        """The secret to pay with, as soon as it is handed out; None when the page has moved on."""
        details = {"name": f"Buyer {buyer.number}", "email": buyer.email}
        while True:
            answer = await self._ask("POST", f"{buyer.page}/payment", data=details, headers=SCRIPT)
            if answer.status_code == 200:
                return answer.json()["client_secret"]
            if answer.status_code == 204:
                return None
            assert answer.status_code in BUSY, f"{answer.status_code} to a buyer who wants to pay"
            buyer.stood_in_line |= answer.status_code == 202
            await self._dawdle(0.6)

    async def _confirm(self, buyer: Buyer, secret: str | None, card: str = FINE) -> None:
        if secret:
            await self._at_the_bank(buyer, lambda: self._stripe.pay(secret, card))

    async def _answer_bank(self, buyer: Buyer, secret: str | None, outcome: str) -> None:
        if secret:
            await self._confirm(buyer, secret, ASKS)
            await self._at_the_bank(buyer, lambda: self._stripe.answer_bank(secret, outcome))

    async def _at_the_bank(self, buyer: Buyer, deed: Callable[[], Awaitable[dict]]) -> None:
        await self._dawdle(0.5)
        with suppress(httpx.TransportError):
            if (await deed()).get("status") == "requires_capture":
                buyer.saw.append(AGREED)

    async def _watch(self, buyer: Buyer) -> None:
        """The page asks every moment until it leads somewhere; its buyer closes it after a while."""
        for _ in range(20):
            await self._look(buyer)
            if buyer.saw and buyer.saw[-1] in ("tickets", "over"):
                return
            await self._dawdle(1.0)

    async def _look(self, buyer: Buyer) -> None:
        answer = await self._ask("GET", f"{buyer.page}/status", headers=SCRIPT)
        led_to = answer.headers.get("HX-Redirect", "")
        buyer.saw.append("tickets" if "/orders/" in led_to else "over" if led_to else str(answer.status_code))

    async def _ask(self, method: str, path: str, **request: object) -> httpx.Response:
        """As a page does it: when nobody answers, it asks again."""
        while True:
            with suppress(httpx.TransportError):
                answer = await self._browser.request(method, path, **request)  # type: ignore[arg-type]
                self._browser.cookies.clear()
                if answer.status_code < 500 or "payment" in path or "status" in path:
                    return answer
            await self._dawdle(0.5)

    async def _dawdle(self, seconds: float) -> None:
        await asyncio.sleep(self._chance.uniform(0.2, 1) * seconds)


FATES: dict[Fate, Callable[[Crowd, Buyer], Awaitable[None]]] = {
    Fate.PAYS: Crowd.pay,
    Fate.PAYS_AND_CLOSES_THE_PAGE: Crowd.pay_and_close,
    Fate.PAYS_IN_ONE_OF_TWO_TABS: Crowd.pay_in_one_of_two_tabs,
    Fate.APPROVES: Crowd.approve,
    Fate.REJECTS_THEN_APPROVES: Crowd.reject_then_approve,
    Fate.REJECTS: Crowd.reject,
    Fate.IS_DECLINED_THEN_PAYS: Crowd.be_declined_then_pay,
    Fate.IS_DECLINED: Crowd.be_declined,
    Fate.LEAVES: Crowd.leave,
    Fate.PAYS_TOO_LATE: Crowd.pay_too_late,
    Fate.GIVES_BACK: Crowd.give_back,
}


def checkout_of(buyer: Buyer):
    return links.checkout_behind(buyer.page.split("/")[-1])


@dataclass(frozen=True)
class Account:
    """What became of a buyer, by the books: ours and the provider's."""

    tickets: int
    orders: list[str]
    due: int
    charges: list[int]  # what was taken, intent by intent
    set_aside: int  # intents whose money is still waiting
    agreed: list[str]  # payments that their bank has agreed to, whatever has become of them

    @property
    def mails(self) -> set[str]:
        """The Message-IDs of what they must have been told: of their tickets, else of each payment that was let go."""
        if self.orders:
            return {f"order-{order}" for order in self.orders}
        return {f"not-charged-{payment}" for payment in self.agreed}


async def account_of(buyer: Buyer, books: list[dict]) -> Account:
    """`books`: the provider's intents."""
    ours = await db.fetchrow(
        """SELECT (SELECT count(*) FROM ticket AS k JOIN orders AS o ON o.id = k.order_id
                    WHERE o.checkout_id = c.id AND o.status = 'COMPLETED' AND k.refund_id IS NULL) AS tickets,
                  ARRAY(SELECT id::text FROM orders AS o WHERE o.checkout_id = c.id) AS orders,
                  (SELECT coalesce(sum(total_amount), 0) FROM orders AS o WHERE o.checkout_id = c.id) AS due,
                  ARRAY(SELECT id::text FROM payment AS p WHERE p.checkout_id = c.id) AS payments
           FROM checkout AS c WHERE c.request_key = $1""",
        buyer.request_key,
    )
    if ours is None:
        return Account(0, [], 0, [], 0, [])
    # By the mark that they carry, not by what we know: also those whose making we never heard of.
    theirs = [i for i in books if i["metadata"].get("payment_id") in ours["payments"]]
    return Account(
        ours["tickets"],
        ours["orders"],
        ours["due"],
        [i["amount_received"] for i in theirs if i["amount_received"]],
        sum(i["status"] == "requires_capture" for i in theirs),
        [i["metadata"]["payment_id"] for i in theirs if i["latest_charge"] and i["latest_charge"]["paid"]],
    )


async def intents_of(stripe: StripeSandbox) -> list[dict]:
    """All there are in the provider's books, each with its last charge."""
    found: list[dict] = []
    more = {"limit": "100", "expand[]": "data.latest_charge"}
    while more:
        answer = await stripe._client.get("/v1/payment_intents", params=more, auth=(SANDBOX_SECRET_KEY, ""))
        page = answer.raise_for_status().json()
        found += page["data"]
        more = {**more, "starting_after": found[-1]["id"]} if page["has_more"] else {}
    return found
