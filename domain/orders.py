"""Orders: exist only after payment. Born PAID, → COMPLETED when their tickets exist, never back (AC 6)."""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from domain.errors import Refusal


class OrderStatus(StrEnum):
    PAID = "PAID"
    COMPLETED = "COMPLETED"


NEXT = {OrderStatus.PAID: OrderStatus.COMPLETED}

# PAID counts as sold: its reservation is already CONSUMED, so nothing else holds the seat.
SOLD = frozenset({OrderStatus.PAID, OrderStatus.COMPLETED})

# Between two mails with the same tickets: whoever presses again mostly only waits for the first.
MAIL_PAUSE = timedelta(minutes=1)


class NothingToSend(Refusal):
    """No ticket of the order admits anybody any more."""


@dataclass(eq=False)
class JustSent(Refusal):
    """The tickets were sent a moment ago. `wait`: seconds until they may be sent once more."""

    wait: float


# Without 0/O, 1/I/L and U: read aloud at a door, typed from paper, and never a word.
NUMBER_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_number() -> str:
    """An order number such as FY-7K3M-Q2VX: 30^8 values; the database's unique constraint is the judge."""
    letters = "".join(secrets.choice(NUMBER_ALPHABET) for _ in range(8))
    return f"FY-{letters[:4]}-{letters[4:]}"


def ticket_number(order_number: str, position: int) -> str:
    """The nth ticket of an order, from 1: FY-7K3M-Q2VX-3."""
    return f"{order_number}-{position}"
