"""Standing in line to start paying: it costs the buyer none of the time that their tickets are held."""

import asyncio
from unittest.mock import patch

import pytest

from domain.errors import HoldEnded, InLine, TooBusy
from domain.reservations import HoldState
from models import database as db
from models.checkout import visit
from services import checkout, pace, reconciliation, settlement
from services.checkout import FreeOfCharge
from services.gateway import Intent, OutcomeUnknown
from tests import mutants
from tests.faults.interleaving import after_statement
from tests.makers import hold_with_buyer, left, let_time_pass, let_time_run_out, make_event, start_paying, ticket_type

pytestmark = pytest.mark.usefixtures("database", "stripe")


@pytest.fixture(autouse=True)
def paced():
    pace.use_rate(30)
    yield
    pace.use_rate(0)


async def line_of(seconds, lane=pace.STARTS):
    """So many seconds of places have been given to others."""
    await db.execute(
        """INSERT INTO pace (lane, next_at) VALUES ($1, clock_timestamp() + make_interval(secs => $2))
           ON CONFLICT (lane) DO UPDATE SET next_at = excluded.next_at, taken_at = excluded.taken_at""",
        lane,
        seconds,
    )


async def ends_of(checkout_id):
    """When the tickets, and the checkout that shows it, end."""
    holds = await db.fetch("SELECT DISTINCT expires_at FROM reservation WHERE checkout_id = $1", checkout_id)
    (end,) = {row["expires_at"] for row in holds}
    assert end == await db.fetchval("SELECT expires_at FROM checkout WHERE id = $1", checkout_id), (
        "the page says so too"
    )
    return end


def _not_prolonged(forgotten):
    """A mutant: LONGER_HOLD or LONGER_CHECKOUT adds nothing."""
    return mutants.sql(forgotten, forgotten.replace("expires_at + $2", "expires_at + 0 * $2::interval"))


async def stands_in_line(checkout_id):
    with pytest.raises(InLine) as line:
        await checkout.start_payment(checkout_id)
    return line.value.seconds


async def test_a_line_of_a_moment_is_simply_waited_for(stripe):
    checkout_id = await hold_with_buyer(await make_event())
    before = await ends_of(checkout_id)
    await line_of(0.4)
    assert await start_paying(checkout_id)
    assert await ends_of(checkout_id) == before


async def test_whoever_stands_in_line_keeps_their_tickets_for_as_much_longer(stripe):
    event = await make_event(ticket_type("Early Bird"), ticket_type())
    checkout_id = await hold_with_buyer(event, Early_Bird=1, General=2)
    before = await ends_of(checkout_id)
    await line_of(40)
    wait = await stands_in_line(checkout_id)
    assert 39 < wait <= 40
    assert (await ends_of(checkout_id) - before).total_seconds() == pytest.approx(wait, abs=0.1)
    assert (await stripe.state())["calls"] == [], "nobody was asked"


async def test_asking_again_keeps_the_place_and_does_not_prolong_again():
    checkout_id = await hold_with_buyer(await make_event())
    await line_of(40)
    first = await stands_in_line(checkout_id)
    after = await ends_of(checkout_id)
    await line_of(400)
    for _ in range(3):
        assert await stands_in_line(checkout_id) < first
    assert await ends_of(checkout_id) == after


async def test_two_tabs_at_once_prolong_once():
    checkout_id = await hold_with_buyer(await make_event())
    before = await ends_of(checkout_id)
    await line_of(40)
    places = await asyncio.gather(*(checkout._live_payment(checkout_id) for _ in range(2)))
    assert places[0] == places[1], "prolonged for each of two tabs"
    assert 39 < (await ends_of(checkout_id) - before).total_seconds() <= 40


async def test_without_looking_at_the_place_two_tabs_prolong_twice():
    with (
        mutants.sql(
            checkout.LIVE_PAYMENT,
            checkout.LIVE_PAYMENT.replace("SELECT *", "SELECT id, checkout_id, provider, status, NULL AS turn_at"),
        ),
        mutants.breaks("prolonged for each"),
    ):
        await test_two_tabs_at_once_prolong_once()


async def _the_line_is_longer_than_the_hold(stripe):
    event = await make_event(capacity=1)
    checkout_id = await hold_with_buyer(event)
    await let_time_run_out(checkout_id, seconds_ago=-10)
    await line_of(60)
    assert await stands_in_line(checkout_id) > 59
    await let_time_pass(seconds=60)
    await checkout.expire_holds(event.id)
    found = await visit(checkout_id)
    assert found.state == HoldState.HELD, "the tickets were lost in line"
    assert 8 < found.seconds_left <= 10, "what was left when the line began is left at its end"
    intent = await start_paying(checkout_id)
    await stripe.pay(intent.client_secret)
    await settlement.settle(intent.reference)
    assert (await visit(checkout_id)).state == HoldState.PAID


async def test_a_hold_does_not_lapse_in_line(stripe):
    await _the_line_is_longer_than_the_hold(stripe)


@pytest.mark.parametrize("forgotten", [checkout.LONGER_HOLD, checkout.LONGER_CHECKOUT])
async def test_without_the_prolonging_a_hold_lapses_in_line(stripe, forgotten):
    with (
        _not_prolonged(forgotten),
        mutants.breaks("lost in line"),
    ):
        await _the_line_is_longer_than_the_hold(stripe)


async def test_a_hold_that_ended_in_line_is_not_paid_for():
    event = await make_event(capacity=1)
    checkout_id = await hold_with_buyer(event)
    await line_of(40)
    await stands_in_line(checkout_id)
    await let_time_pass(minutes=16)
    with pytest.raises(HoldEnded):
        await checkout.start_payment(checkout_id)
    assert await left(event) == 1


async def test_tickets_given_back_in_line_are_free_at_once():
    event = await make_event(capacity=1)
    checkout_id = await hold_with_buyer(event)
    await line_of(40)
    await stands_in_line(checkout_id)
    await checkout.give_back(checkout_id)
    assert await left(event) == 1
    with pytest.raises(HoldEnded):
        await checkout.start_payment(checkout_id)


async def _ends_while_the_place_is_given(checkout_id, end):
    """When the line has been looked at, and before the locks that are held for the look at the hold."""
    with after_statement(pace.WAIT, end):
        return await asyncio.gather(checkout.start_payment(checkout_id), return_exceptions=True)


async def test_tickets_given_back_at_that_very_moment_stay_given_back():
    event = await make_event(capacity=1)
    checkout_id = await hold_with_buyer(event)
    await line_of(40)
    await _ends_while_the_place_is_given(checkout_id, lambda: checkout.give_back(checkout_id))
    assert await left(event) == 1
    assert (await visit(checkout_id)).state == HoldState.GIVEN_BACK


async def test_a_hold_that_lapses_at_that_very_moment_is_not_brought_back_to_life():
    event = await make_event(capacity=1)
    checkout_id = await hold_with_buyer(event)
    await line_of(40)
    await _ends_while_the_place_is_given(checkout_id, lambda: let_time_run_out(checkout_id))
    assert (await visit(checkout_id)).state == HoldState.ENDED
    assert await left(event) == 1


async def test_a_purchase_that_costs_nothing_does_not_stand_in_line():
    checkout_id = await hold_with_buyer(await make_event(ticket_type(price=0)))
    await line_of(40)
    assert await checkout.start_payment(checkout_id) == FreeOfCharge()


async def test_whoever_has_an_intent_already_does_not_stand_in_line():
    checkout_id = await hold_with_buyer(await make_event())
    first = await start_paying(checkout_id)
    await line_of(40)
    assert (await start_paying(checkout_id)).reference == first.reference


async def _a_page_is_reloaded_in_a_rush(stripe):
    """With a payment that was started long ago, while many others start theirs and the calls themselves queue."""
    checkout_id = await hold_with_buyer(await make_event())
    intent = await start_paying(checkout_id)
    asked = len((await stripe.state())["calls"])
    before = await ends_of(checkout_id)
    await line_of(40)
    await line_of(2, pace.CALLS)
    wait = await stands_in_line(checkout_id)
    for _ in range(3):
        await stands_in_line(checkout_id)
    longer = (await ends_of(checkout_id) - before).total_seconds()
    assert longer == pytest.approx(wait + 2, abs=0.3), "the hold waited with its buyer, once"
    assert len((await stripe.state())["calls"]) == asked
    await let_time_pass(seconds=40)
    await line_of(400)
    await line_of(1.5, pace.CALLS)
    assert (await start_paying(checkout_id)).reference == intent.reference, "their turn has come, whoever came later"
    await line_of(1.5, pace.CALLS)
    assert await stands_in_line(checkout_id) > 390, "the next reload is another question"


async def test_whoever_reloads_in_a_rush_keeps_place_and_tickets(stripe):
    await _a_page_is_reloaded_in_a_rush(stripe)


@pytest.mark.parametrize("forgotten", [checkout.LONGER_HOLD, checkout.LONGER_CHECKOUT])
async def test_without_the_prolonging_a_reload_in_a_rush_costs_the_buyer_time(stripe, forgotten):
    with (
        _not_prolonged(forgotten),
        mutants.breaks("the page says so too"),
    ):
        await _a_page_is_reloaded_in_a_rush(stripe)


async def test_no_hold_is_prolonged_for_ever_by_reloading(stripe):
    checkout_id = await hold_with_buyer(await make_event())
    await start_paying(checkout_id)
    longest = checkout.LONGEST_LINE_SECONDS
    for _ in range(2):
        await line_of(longest / 2 + 1)
        await line_of(2, pace.CALLS)
        await stands_in_line(checkout_id)
        await let_time_pass(seconds=longest)
        await db.execute("UPDATE payment SET turn_at = NULL")
    with pytest.raises(TooBusy):
        await checkout.start_payment(checkout_id)


async def test_whoever_pays_in_the_time_that_was_added_is_asked_about_before_its_end(stripe):
    checkout_id = await hold_with_buyer(await make_event())
    await start_paying(checkout_id)
    await db.execute("UPDATE payment SET next_check_at = clock_timestamp() + interval '1 day'")
    await line_of(40)
    await line_of(2, pace.CALLS)
    await stands_in_line(checkout_id)
    left = await db.fetchval(
        "SELECT extract(epoch FROM c.expires_at - p.next_check_at) FROM payment AS p, checkout AS c"
    )
    assert left == reconciliation.LAST_QUESTION_SECONDS


async def test_a_turn_that_has_come_is_not_lost_when_the_provider_is_silent(stripe):
    checkout_id = await hold_with_buyer(await make_event())
    await line_of(40)
    await stands_in_line(checkout_id)
    await let_time_pass(seconds=40)
    await stripe.fault(op="payment_intents.create", mode="drop_before", times=2)
    with pytest.raises(OutcomeUnknown):
        await checkout.start_payment(checkout_id)
    await line_of(400)
    assert isinstance(await checkout.start_payment(checkout_id), Intent)


async def test_when_the_line_cannot_be_seen_nobody_stands_in_it():
    checkout_id = await hold_with_buyer(await make_event())
    await line_of(40)
    with patch.object(pace, "TAKE", "SELECT no_such_column"):
        assert await start_paying(checkout_id)


async def test_many_holds_that_lapse_together_do_not_stand_before_those_who_have_paid(stripe):
    pace.use_rate(0)
    event = await make_event(capacity=100)
    for _ in range(30):
        checkout_id = await hold_with_buyer(event)
        await start_paying(checkout_id)
        await let_time_run_out(checkout_id)
    pace.use_rate(15)
    assert await checkout.expire_holds(event.id) == 30
    ahead = await pace.line_ahead()
    pace.use_rate(0)
    await asyncio.gather(*checkout._asking)
    assert ahead < 0.5
