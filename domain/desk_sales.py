"""Sales at the desk: by an admin, outside of the shop, out of the same stock."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from domain.errors import Refusal
from domain.inventory import Terms


class PriceChanged(Refusal):
    """It comes to another sum than was read and taken."""


class Method(StrEnum):
    """How it was paid. No provider knows of it: the admin's word is what there is."""

    CASH = "cash"
    TRANSFER = "transfer"
    TERMINAL = "terminal"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class DeskSale:
    """What is sold, to whom. `method` is None for a gift, which costs its guest nothing. `total`: what it comes to, as
    its seller read it, in minor units; None when nobody has."""

    wish: Mapping[UUID, int]  # ticket type → quantity
    buyer_name: str
    buyer_email: str
    method: Method | None
    note: str = ""
    total: int | None = None

    @property
    def terms(self) -> Terms:
        return Terms.GUEST if self.method is None else Terms.DESK
