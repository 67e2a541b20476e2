"""Every race of test_races.py, told again of a house with one guard taken out: there the promise must break.

Where one guard is backed by a second, both are taken out; what the second does alone is shown as well.
"""

import contextvars
from unittest.mock import patch

import pytest

from domain import inventory
from domain.payments import Verdict
from models import database as db
from models import stock
from services import checkout, settlement, turnstile
from services.transaction import transaction
from tests import mutants
from tests.faults import scenarios
from tests.faults.interleaving import hold_at_another_till
from tests.makers import make_event
from tests.mutants import breaks

pytestmark = pytest.mark.usefixtures("pool")

NO_LOCK = mutants.NO_EVENT_LOCK
ONE_ORDER = (
    "ALTER TABLE orders DROP CONSTRAINT orders_checkout_id_key",
    "ALTER TABLE orders DROP CONSTRAINT orders_payment_id_key",
    "ALTER TABLE orders DROP CONSTRAINT orders_payment_provider_payment_reference_key",
)


async def test_without_lock_and_check_two_tills_oversell_the_last_seat():
    async with mutants.database_after(*mutants.OVERSELL_CHECKS):
        with breaks("oversold"), mutants.sql(*NO_LOCK):
            await scenarios.two_tills_want_the_last_seat()


async def test_without_lock_and_check_two_tills_oversell_an_allocation():
    async with mutants.database_after(*mutants.OVERSELL_CHECKS):
        with breaks("oversold"), mutants.sql(*NO_LOCK):
            await scenarios.two_tills_want_the_last_of_an_allocation()


async def test_without_the_lock_alone_the_database_still_refuses_to_oversell():
    """Defence in depth: the loser's first try is refused by the CHECK, the second one sees what there is."""
    async with mutants.database_after():
        with mutants.sql(*NO_LOCK):
            await scenarios.two_tills_want_the_last_seat()


async def test_a_sum_from_before_the_lock_oversells():
    """The counters read first and the lock taken after: what was read is from before the lock."""
    look_first = stock.LOCK_EVENT.replace("FOR NO KEY UPDATE", "")

    async def lock_late(event_id):
        event = await db.fetchrow(look_first, event_id)
        await meet()
        await db.execute("SELECT 1 FROM event WHERE id = $1 FOR NO KEY UPDATE", event_id)
        return event

    async def fetchrow(sql, *args):
        return await (lock_late(*args) if sql == stock.LOCK_EVENT else honest(sql, *args))

    honest, meet = db.fetchrow, scenarios.rendezvous(2)
    async with mutants.database_after(*mutants.OVERSELL_CHECKS):
        with breaks("oversold"), patch.object(db, "fetchrow", fetchrow):
            await scenarios.two_tills_want_the_last_seat()


async def test_without_lookup_and_unique_key_one_key_makes_two_holds():
    async with mutants.database_after("ALTER TABLE checkout DROP CONSTRAINT checkout_once_per_request"):
        with breaks("one key made two holds"), mutants.sql("c.request_key = ANY($1)", "c.request_key <> ALL($1)"):
            await scenarios.the_same_key_twice_at_once()


async def test_without_lock_and_unique_key_one_key_makes_two_holds():
    async with mutants.database_after("ALTER TABLE checkout DROP CONSTRAINT checkout_once_per_request"):
        with breaks("one key made two holds"), mutants.sql(*NO_LOCK):
            await scenarios.the_same_key_twice_at_once()


async def test_without_lazy_release_a_lapsed_hold_blocks_its_seat():
    async with mutants.database_after():
        with (
            breaks("still blocks"),
            mutants.sql("status = 'ACTIVE' AND expires_at <= $2", "false AND expires_at <= $2"),
        ):
            await scenarios.a_hold_lapses_and_nobody_has_swept()


async def test_a_release_that_does_not_move_the_counters_is_seen():
    async def count_nothing(event_id, quantities, *, held=0, sold=0):
        if held > 0:
            await honest(event_id, quantities, held=held, sold=sold)

    honest = stock._move
    async with mutants.database_after(*mutants.OVERSELL_CHECKS):
        with breaks("invariant is broken"), patch.object(stock, "_move", count_nothing):
            await scenarios.a_hold_lapses_and_nobody_has_swept()


async def test_a_release_that_does_not_move_the_counters_cannot_even_be_sold_from():
    """With the CHECK in place the next buyer is refused: safe, though not right."""

    async def count_nothing(event_id, quantities, *, held=0, sold=0):
        if held > 0:
            await honest(event_id, quantities, held=held, sold=sold)

    honest = stock._move
    async with mutants.database_after():
        with breaks("still blocks"), patch.object(stock, "_move", count_nothing):
            await scenarios.a_hold_lapses_and_nobody_has_swept()


async def test_with_the_clock_of_the_transactions_start_a_lapsed_hold_blocks_its_seat():
    async with mutants.database_after():
        with breaks("still blocks"), mutants.sql("(SELECT clock_timestamp() AS now)", "(SELECT now() AS now)"):
            await scenarios.a_hold_lapses_while_the_next_buyer_waits_for_the_lock()


async def test_with_the_clock_of_the_transactions_start_a_lapsed_hold_can_be_paid():
    async with mutants.database_after():
        with (
            breaks("hold that had ended"),
            mutants.sql("r.expires_at > clock_timestamp()", "r.expires_at > now()"),
        ):
            await scenarios.a_hold_lapses_while_its_buyer_waits_to_pay()


async def test_expiry_as_a_clock_filter_sells_a_seat_twice(stripe):
    """An overdue hold is only left out of the sum, not ended: a clock that steps back brings it to life again."""
    only_counted = "SELECT ticket_type_id, quantity FROM reservation"
    with_filter = stock.RELEASE_OVERDUE.replace("UPDATE reservation SET status = 'EXPIRED'", only_counted).replace(
        "RETURNING ticket_type_id, quantity", ""
    )
    async with mutants.database_after(*mutants.OVERSELL_CHECKS):
        with breaks("oversold"), mutants.sql(stock.RELEASE_OVERDUE, with_filter):
            await scenarios.the_clock_steps_back_after_a_seat_was_resold(stripe)


async def test_without_the_pin_and_the_sweepers_question_a_seat_that_is_being_paid_for_is_resold(stripe):
    async with mutants.database_after():
        with (
            breaks("was resold"),
            mutants.sql("SET expires_at = $2 WHERE", "SET expires_at = least(expires_at, $2) WHERE"),
            mutants.sql("p.status IN ('OPEN', 'CAPTURING')", "p.status = 'OPEN'"),
        ):
            await scenarios.a_capture_without_an_answer_outlives_the_hold(stripe)


async def test_if_paid_orders_did_not_count_as_sold_their_seats_would_be_sold_again(stripe):
    async def only_completed_counts(event_id, quantities, *, held=0, sold=0):
        await honest(event_id, quantities, held=held)

    honest = stock._move
    async with mutants.database_after():
        with breaks("paid seat was sold again"), patch.object(stock, "_move", only_completed_counts):
            await scenarios.a_paid_order_waits_for_its_tickets(stripe)


async def test_without_locks_and_unique_orders_one_payment_becomes_several_orders(stripe):
    """Five walls before a second order: two locks, the row that is won once, a last look, the constraints."""
    every_settlement_finds_the_hold = ("WHERE checkout_id = $1 AND status = 'ACTIVE'\n", "WHERE checkout_id = $1\n")
    async with mutants.database_after(
        *ONE_ORDER, "DROP TRIGGER guard ON payment", "DROP TRIGGER guard ON reservation", *mutants.OVERSELL_CHECKS
    ):
        with (
            breaks("not exactly one order"),
            mutants.sql(*NO_LOCK),
            mutants.sql("FOR UPDATE OF p", ""),
            mutants.sql(*every_settlement_finds_the_hold),
            patch.object(settlement, "_seats_are_kept", _yes),
            patch.object(stock, "_move", scenarios._not_now),
        ):
            await scenarios.fifty_settle_the_same_payment(stripe)


async def test_without_lock_and_partial_index_two_tabs_make_two_intents(stripe):
    async with mutants.database_after("DROP INDEX payment_one_live_per_checkout"):
        with breaks("two tabs made two"), mutants.sql(*NO_LOCK):
            await scenarios.two_tabs_start_to_pay(stripe)


async def test_without_the_lock_alone_the_index_still_refuses_a_second_intent(stripe):
    async with mutants.database_after():
        with mutants.sql(*NO_LOCK):
            await scenarios.two_tabs_start_to_pay(stripe)


async def test_a_settlement_that_ignores_lateness_takes_money_without_a_seat(stripe):
    async with mutants.database_after():
        with breaks("money was taken"), patch.object(settlement, "verdict", lambda *_, **__: Verdict.PIN):
            await scenarios.money_comes_late_and_the_seat_is_gone(stripe)


async def test_a_settlement_that_does_not_ask_whether_the_seats_still_fit_takes_money_without_a_seat(stripe):
    async with mutants.database_after(*mutants.OVERSELL_CHECKS):
        with breaks("money was taken"), patch.object(inventory, "shortages", lambda *_: ()):
            await scenarios.money_comes_late_and_the_seat_is_gone(stripe)


async def test_a_verdict_that_ignores_the_amount_takes_it(stripe):
    def blind(granted, *, asked, hold_lives, still_fits):
        return honest(asked, asked=asked, hold_lives=hold_lives, still_fits=still_fits)

    honest = settlement.verdict
    async with mutants.database_after():
        with breaks("another amount"), patch.object(settlement, "verdict", blind):
            await scenarios.the_bank_grants_another_amount(stripe)


async def test_a_sweep_that_ends_pinned_holds_takes_the_seat_from_under_a_payment(stripe):
    whatever_its_time = ("status = 'ACTIVE' AND expires_at <= $2", "status = 'ACTIVE' AND $2::timestamptz IS NOT NULL")
    async with mutants.database_after():
        with (
            breaks("charges and orders differ"),
            mutants.sql(*whatever_its_time),
            patch.object(settlement, "_seats_are_kept", _yes),
        ):
            await scenarios.expiry_meets_settlement(stripe, settlement_first=True)


async def test_a_settlement_that_ignores_expiry_takes_money_without_a_seat(stripe):
    async with mutants.database_after():
        with breaks("charges and orders differ"), patch.object(settlement, "verdict", lambda *_, **__: Verdict.PIN):
            await scenarios.expiry_meets_settlement(stripe, settlement_first=False)


async def test_a_give_back_that_does_not_look_at_the_payment_takes_the_seat_from_under_it(stripe):
    async with mutants.database_after():
        with breaks("charges and orders differ"), patch.object(checkout, "_refuse_if_paid", lambda *_: None):
            await scenarios.giving_back_meets_paying(stripe, payment_first=True)


async def test_a_settlement_that_forgets_who_gave_back_sells_them_the_tickets_all_the_same(stripe):
    async with mutants.database_after():
        with (
            breaks("who came first"),
            mutants.sql("c.given_back_at, c.buyer_name", "NULL AS given_back_at, c.buyer_name"),
        ):
            await scenarios.giving_back_meets_paying(stripe, payment_first=False)


async def test_without_row_lock_and_unique_positions_tickets_are_issued_twice(stripe):
    async with mutants.database_after(
        "ALTER TABLE ticket DROP CONSTRAINT ticket_order_id_position_key",
        "ALTER TABLE ticket DROP CONSTRAINT ticket_number_key",
        "DROP TRIGGER guard_insert ON ticket",
    ):
        with breaks("issued twice"), mutants.sql("FROM orders WHERE id = $1 FOR UPDATE", "FROM orders WHERE id = $1"):
            await scenarios.two_workers_issue_the_same_tickets(stripe)


async def test_without_the_row_lock_alone_unique_positions_still_refuse_a_second_set(stripe):
    async with mutants.database_after():
        with mutants.sql("FROM orders WHERE id = $1 FOR UPDATE", "FROM orders WHERE id = $1"):
            await scenarios.two_workers_issue_the_same_tickets(stripe)


async def test_a_turnstile_that_inherits_a_transaction_cannot_serve():
    async with mutants.database_after():
        event = await make_event()
        async with transaction():
            await hold_at_another_till(event)
        with (
            patch.object(turnstile.contextvars, "Context", contextvars.copy_context),
            breaks("transaction", by=Exception),
        ):
            async with transaction():
                await hold_at_another_till(event)


async def _yes(_) -> bool:
    return True
