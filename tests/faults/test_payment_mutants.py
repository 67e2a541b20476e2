"""The promises about money, told of a house with one guard taken out: there each must break.

What gives money back twice, or more than was taken, has its mutants beside its tests in tests/services/test_refunds.py;
the pace and the line in test_pace.py and test_checkout_line.py, the outbox's lease in test_outbox.py.
"""

from dataclasses import replace
from unittest.mock import patch

import asyncpg
import pytest

from domain.payments import AT_REST, PaymentStatus
from services import (
    checkout,
    comparison,
    gateway,
    notices,
    outbox,
    refunds,
    settlement,
    stripe_gateway,
)
from services.gateway import IntentStatus
from tests import mutants
from tests.faults import money
from tests.mutants import breaks

pytestmark = pytest.mark.usefixtures("pool")


async def test_a_settlement_that_thinks_a_capture_under_way_is_at_rest_leaves_money_without_an_order(stripe):
    async with mutants.database_after():
        with (
            breaks("charges and orders differ"),
            patch.object(settlement, "AT_REST", AT_REST | {PaymentStatus.CAPTURING}),
        ):
            await money.a_capture_without_an_answer_is_finished(stripe)


async def test_a_settlement_that_forgets_the_refund_of_what_it_cannot_place_keeps_the_money(stripe):
    nothing = "SELECT $1::uuid, $2::uuid, $3::bigint, $4::text, $5::text"
    async with mutants.database_after():
        with breaks("money stays with us"), mutants.sql(settlement.WRITE_REFUND, nothing):
            await money.money_taken_by_hand_without_seats_goes_back(stripe)


async def test_a_settlement_that_leaves_no_note_of_the_refund_keeps_the_money(stripe):
    async with mutants.database_after():
        with breaks("money stays with us"), without_note("refund"):
            await money.money_taken_by_hand_without_seats_goes_back(stripe)


async def test_a_gateway_that_says_what_was_asked_for_instead_of_what_was_taken_gives_tickets_for_a_part(stripe):
    honest = stripe_gateway._intent
    async with mutants.database_after():
        with (
            breaks("part was taken for the whole"),
            patch.object(stripe_gateway, "_intent", lambda found: replace(honest(found), amount=found.amount)),
        ):
            await money.a_part_taken_by_hand_is_not_the_whole(stripe)


async def test_a_settlement_that_does_not_compare_what_was_taken_gives_tickets_for_a_part(stripe):
    """Whatever is taken while we take it is as good to it as what was asked."""

    class GoodEnough(int):
        def __eq__(self, other):
            return True

        __hash__ = int.__hash__

    async with mutants.database_after():
        with (
            breaks("part was taken for the whole"),
            patch.object(stripe_gateway, "_our_amount", lambda amount, _: GoodEnough(amount)),
        ):
            await money.a_part_taken_by_hand_while_we_take_it_ourselves_is_not_the_whole(stripe)


async def test_without_unique_notices_one_is_handled_three_times(stripe):
    async with mutants.database_after("ALTER TABLE payment_notice DROP CONSTRAINT payment_notice_pkey"):
        with breaks("one notice was three"), mutants.sql("ON CONFLICT (id) DO NOTHING RETURNING", "RETURNING"):
            await money.a_notice_told_three_times_is_one(stripe)


async def test_a_shop_that_looks_for_no_notice_of_the_same_name_cannot_answer_it_again(stripe):
    """The database refuses to keep it twice, and the provider hears no answer and goes on asking."""
    async with mutants.database_after():
        with (
            breaks("payment_notice_pkey", by=asyncpg.UniqueViolationError),
            mutants.sql("ON CONFLICT (id) DO NOTHING RETURNING", "RETURNING"),
        ):
            await money.a_notice_told_three_times_is_one(stripe)


async def test_a_gateway_that_takes_a_cancelled_intent_for_an_open_one_offers_it_again(stripe):
    open_for_ever = {"canceled": IntentStatus.AWAITING_BUYER}
    async with mutants.database_after():
        with breaks("given a dead intent"), patch.dict(stripe_gateway.STATUS, open_for_ever):
            await money.a_dead_intent_is_followed_by_a_new_one(stripe)


async def test_a_till_that_takes_any_payment_for_this_one_serves_the_secret_of_another_checkout(stripe):
    anybodys = checkout.LIVE_PAYMENT.replace("checkout_id = $1", "$1::uuid IS NOT NULL")
    async with mutants.database_after():
        with breaks("secret of another checkout"), mutants.sql(checkout.LIVE_PAYMENT, anybodys):
            await money.nobody_is_given_the_secret_of_another_checkout(stripe)


async def test_without_its_mail_a_buyer_who_was_let_go_is_left_wondering(stripe):
    async with mutants.database_after():
        with breaks("nobody told the buyer"), without_note("not_charged_mail"):
            await money.who_was_let_go_is_told(stripe)


async def test_a_gateway_that_forgets_that_the_bank_had_agreed_leaves_a_buyer_wondering(stripe):
    async with mutants.database_after():
        with breaks("nobody told the buyer"), patch.object(stripe_gateway, "_was_agreed", lambda _: False):
            await money.who_was_let_go_in_the_moment_of_agreeing_is_told(stripe)


async def test_a_sweeper_that_does_not_ask_first_lets_a_buyer_go_who_has_paid(stripe):
    async with mutants.database_after():
        with breaks("lost the seat"), mutants.sql(checkout.OVERDUE_WITH_PAYMENT, NOTHING_OVERDUE):
            await money.who_paid_in_time_is_served_although_no_notice_came(stripe)


async def test_a_sweeper_that_asks_and_does_not_cancel_leaves_an_intent_that_can_be_paid(stripe):
    async with mutants.database_after():
        with breaks("outlived its hold"), patch.object(settlement, "let_go", settlement.settle):
            await money.nobody_can_pay_for_a_hold_that_was_swept(stripe)


async def test_a_reconciler_that_does_not_look_at_the_hold_leaves_an_intent_that_can_be_paid(stripe):
    async with mutants.database_after():
        with breaks("outlived its hold"), mutants.sql("SELECT NOT EXISTS (SELECT 1 FROM reservation", NEVER_GONE):
            await money.nobody_can_pay_for_a_hold_that_is_gone(stripe)


async def test_a_refund_that_leaves_its_tickets_alone_lets_them_admit(stripe):
    async with mutants.database_after():
        with breaks("still admits"), mutants.sql(*TICKETS_LEFT_ALONE):
            await money.a_refunded_ticket_admits_nobody(stripe)


async def test_a_refund_that_returns_seats_unasked_sells_them_again(stripe):
    async with mutants.database_after():
        with breaks("nobody had said so"), mutants.sql(refunds.WRITE, refunds.WRITE.replace("$9,", "$9 OR true,")):
            await money.a_refunded_seat_is_not_sold_unasked(stripe)


async def test_a_failed_refund_that_does_not_reinstate_shuts_out_who_has_paid(stripe):
    async with mutants.database_after():
        with breaks("not admitted"), mutants.sql(*NOT_REINSTATED):
            await money.a_failed_refund_gives_the_tickets_back(stripe)


async def test_without_a_deed_for_notices_of_refunds_one_made_elsewhere_is_not_noticed(stripe):
    only_payments = {kind: deed for kind, deed in notices.DEEDS.items() if kind.startswith("payment_intent")}
    async with mutants.database_after():
        with breaks("nobody noticed"), patch.object(notices, "DEEDS", only_payments):
            await money.a_refund_made_elsewhere_is_noticed(stripe)


async def test_taking_over_a_refund_without_its_tickets_lets_them_admit(stripe):
    async with mutants.database_after():
        with breaks("admits whose money went back"), mutants.sql(*TICKETS_LEFT_ALONE):
            await money.a_refund_made_elsewhere_is_noticed(stripe)


async def test_a_comparison_that_never_looks_at_ours_misses_what_they_never_heard_of(stripe):
    async with mutants.database_after():
        with breaks("nobody noticed"), mutants.sql(comparison.OUR_PAYMENTS, f"{comparison.OUR_PAYMENTS} AND false"):
            await money.the_comparison_sees_what_they_never_heard_of(stripe)


async def test_a_comparison_that_never_looks_at_their_refunds_misses_what_we_never_heard_of(stripe):
    async def nothing(_):
        return
        yield

    async with mutants.database_after():
        with breaks("nobody noticed"), patch.object(gateway.current(), "refunds_since", nothing):
            await money.the_comparison_sees_what_we_never_heard_of(stripe)


NOTHING_OVERDUE = checkout.OVERDUE_WITH_PAYMENT.replace("'OPEN', 'CAPTURING'", "'NONE'")
NEVER_GONE = "SELECT false AND NOT EXISTS (SELECT 1 FROM reservation"
TICKETS_LEFT_ALONE = ("WHERE id = ANY($2) AND refund_id IS NULL", "WHERE false AND id = ANY($2)")
NOT_REINSTATED = ("WHERE NOT returned AND (refund_id = $1", "WHERE false AND (refund_id = $1")


def without_note(kind: str):
    """The outbox is never told of it."""
    honest = outbox.write

    async def write(written, subject, **options):
        if written != kind:
            await honest(written, subject, **options)

    return patch.object(outbox, "write", write)
