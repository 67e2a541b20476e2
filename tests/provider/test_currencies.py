"""Amounts: the provider counts a currency in the same units as we do, and says so when it is too little or too much."""

import pytest

from domain.errors import AmountNotPayable
from domain.money import decimals
from services import checkout, gateway
from tests.makers import hold_with_buyer, make_event, ticket_type
from tests.provider.hands import Hands
from tests.provider.provider import Provider
from tests.provider.purchase import Purchase

# About two US dollars, give or take half: enough for any account, and a hundredth of it for none.
TWO_DOLLARS = {
    "EUR": 2, "USD": 2, "GBP": 2, "CHF": 2, "SEK": 20, "NOK": 20, "DKK": 14, "CZK": 45, "PLN": 8, "HUF": 750,
    "JPY": 300, "KRW": 3_000, "CLP": 2_000, "VND": 50_000, "XOF": 1_200, "PYG": 15_000, "RWF": 3_000, "MGA": 9_000,
    "UGX": 8_000, "ISK": 300, "KWD": 1, "TWD": 65,
}  # fmt: skip
# The sandbox knows no exchange rates: it would take a hundredth of these.
NEEDS_RATES = {"ISK", "TWD", "UGX"}
MINIMUM = {"EUR": 50, "USD": 50, "GBP": 30, "CHF": 50, "JPY": 50, "SEK": 300, "CZK": 1500, "HUF": 17500}


@pytest.mark.parametrize("currency", TWO_DOLLARS)
async def test_a_currency_is_counted_in_the_same_units_on_both_sides(hands: Hands, provider: Provider, currency):
    """Two dollars' worth is taken. A hundredth of it is too little: were the units a hundred times larger than ours,
    it would be taken; were they smaller, the first would be too little."""
    worth = TWO_DOLLARS[currency] * 10 ** decimals(currency)
    if not await hands.ask_for(worth, currency):
        said = hands.wire.answers[-1]
        assert said.code != "amount_too_small", f"{worth} is no two dollars in {currency}: our unit is not theirs"
        pytest.skip(f"this account does not take {currency}; what it said is above")
    if decimals(currency) and (provider.is_stripe or currency not in NEEDS_RATES):
        assert await hands.ask_for(worth // 100, currency) is None
        assert hands.wire.codes("create") == [(400, "amount_too_small")]


@pytest.mark.parametrize("currency", MINIMUM)
async def test_the_published_minimum_of_a_currency(hands: Hands, provider: Provider, currency):
    """It holds for an account that is paid out in this currency; for others the worth of their own minimum counts."""
    assert await hands.ask_for(1, currency) is None
    assert hands.wire.codes("create") == [(400, "amount_too_small")]
    if not await hands.ask_for(MINIMUM[currency], currency):
        assert provider.is_stripe
        pytest.skip(f"this account needs more than {MINIMUM[currency]} in {currency}; what it said is above")


async def test_an_amount_too_small_for_a_card_is_told_to_the_buyer(hands: Hands):
    checkout_id = await hold_with_buyer(await make_event(ticket_type(price=1)))
    with pytest.raises(AmountNotPayable):
        await checkout.start_payment(checkout_id)
    assert hands.wire.codes("create") == [(400, "amount_too_small")]


async def test_an_amount_too_large_for_a_card_is_told_to_the_buyer(hands: Hands, monkeypatch: pytest.MonkeyPatch):
    """No sum of our prices comes near the limit; should it ever fall, the page still says why."""
    create = gateway.current().create

    async def create_huge(*, amount, **fields):
        return await create(amount=10**12 + amount, **fields)

    monkeypatch.setattr(gateway.current(), "create", create_huge)
    checkout_id = await hold_with_buyer(await make_event())
    with pytest.raises(AmountNotPayable):
        await checkout.start_payment(checkout_id)
    assert hands.wire.codes("create") == [(400, "amount_too_large")]


async def test_yen_have_no_cents(hands: Hands):
    event = await make_event(ticket_type(price=2400), currency="JPY", capacity=5)
    purchase = await Purchase.complete(hands, event, General=2)
    there = await hands.look(purchase.reference)
    assert (there.amount_received, there.currency) == (4800, "jpy")
