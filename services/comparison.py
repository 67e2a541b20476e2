"""Comparison: once a day the provider's list and ours are laid side by side, both ways.

Nothing depends on it: settlement finishes every payment without. It finds what nobody thought of. A payment that
differs is asked about, settled and its refunds taken over; only what still differs then is kept as a discrepancy,
until a later look finds it gone.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from domain.attention import CLOSED_DISPUTE
from domain.comparison import Kind, Outcome, Page, differences, gone_back, our_outcome
from domain.payments import PaymentStatus
from models import database
from models.ids import new_id
from services import disputes, refunds, settlement, words
from services.gateway import Intent, IntentStatus, ProviderRefund, RequestRefused, current, is_away

Deed = Callable[[str], Awaitable[object]]
log = structlog.get_logger()

# An authorisation lives for seven days: what is older can only have been touched by hand, and says so in a notice.
WINDOW = timedelta(days=8)
# Banks refuse refunds, and card holders dispute charges, weeks later.
AFTERMATH = timedelta(days=60)

# Once a day; a run that died is taken up again after an hour.
BEGIN = """
    INSERT INTO comparison (id, since) SELECT $1, clock_timestamp() - $2::interval WHERE NOT EXISTS (
        SELECT 1 FROM comparison WHERE finished_at > clock_timestamp() - interval '1 day'
           OR (finished_at IS NULL AND last_error IS NULL AND started_at > clock_timestamp() - interval '1 hour')
    )
    RETURNING id
"""

END = "UPDATE comparison SET finished_at = clock_timestamp(), compared = $2 WHERE id = $1"
SO_FAR = "UPDATE comparison SET compared = $2 WHERE id = $1"
BROKE_OFF = "UPDATE comparison SET last_error = $2 WHERE id = $1"

OURS = """
    SELECT p.*, (SELECT coalesce(sum(amount) FILTER (WHERE r.status IN ('PENDING', 'SUCCEEDED')), 0)::bigint
                 FROM refund AS r WHERE r.payment_id = p.id) AS gone_back
    FROM payment AS p WHERE p.reference = ANY($1) OR p.id = ANY($2)
"""

OUR_REFUNDS = "SELECT reference, status, amount FROM refund WHERE reference = ANY($1)"

# A little younger than what was asked of the provider: an intent is made after our row. Not what came while we read.
OUR_PAYMENTS = """
    SELECT reference FROM payment
    WHERE provider = 'stripe' AND reference IS NOT NULL AND created_at > $1 AND created_at < $2
"""

OUR_REFUNDS_MADE = """
    SELECT r.reference, p.reference AS intent FROM refund AS r JOIN payment AS p ON p.id = r.payment_id
    WHERE r.reference IS NOT NULL AND r.created_at > $1 AND r.created_at < $2
"""

# Of these disputes, the intents of ours that we have not heard are disputed.
UNHEARD_DISPUTES = """
    SELECT d.intent FROM unnest($1::text[], $2::text[]) AS d (id, intent) JOIN payment AS p ON p.reference = d.intent
    WHERE NOT EXISTS (SELECT 1 FROM dispute AS ours WHERE ours.id = d.id)
"""

OPEN_REFERENCES = "SELECT DISTINCT reference FROM discrepancy WHERE cleared_at IS NULL"
OPEN_DISPUTES = """
    SELECT DISTINCT p.reference FROM dispute AS d JOIN payment AS p ON p.id = d.payment_id
    WHERE d.status <> ALL($1)
"""

WRITE = """
    INSERT INTO discrepancy (id, kind, reference, payment_id, theirs, ours) VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (kind, reference) WHERE cleared_at IS NULL DO UPDATE SET theirs = $5, ours = $6
"""

CLEAR = """
    UPDATE discrepancy SET cleared_at = clock_timestamp()
    WHERE reference = $1 AND kind <> ALL($2) AND cleared_at IS NULL
"""


async def compare_if_due() -> None:
    """Compare when a day has passed since the last time. Raises OutcomeUnknown; what was found until then is kept."""
    run_id = await database.fetchval(BEGIN, new_id(), WINDOW)
    if run_id:
        await _run(run_id)


async def compare() -> int:
    """Compare now. Returns how many of the provider's payments were looked at."""
    run_id = new_id()
    await database.execute(
        "INSERT INTO comparison (id, since) VALUES ($1, clock_timestamp() - $2::interval)", run_id, WINDOW
    )
    return await _run(run_id)


async def look_again(reference: str) -> list[Kind]:
    """Ask about one intent, put right what can be, and keep what still differs. Raises OutcomeUnknown."""
    try:
        intent: Intent | None = await current().retrieve(reference)
    except RequestRefused as refusal:
        if refusal.code != "resource_missing":
            raise
        intent = None
    if intent:
        await settlement.settle(reference)
        await refunds.sync(reference)
        intent = await current().retrieve(reference)
    theirs_back = gone_back((r.status, r.amount) for r in await _refunds_of(intent))
    payment = await _ours(reference, intent)  # last: there may have been a wait before each of their answers
    found = _judge(reference, intent, payment, theirs_back)
    for kind, theirs, ours in found:
        payment_id = payment["id"] if payment else None
        await database.execute(WRITE, new_id(), kind, reference, payment_id, theirs, ours)
        log.error("the books differ", kind=kind, reference=reference, theirs=theirs, ours=ours)
    kinds = [kind for kind, _, _ in found]
    await database.execute(CLEAR, reference, kinds)
    return kinds


async def _run(run_id: UUID) -> int:
    try:
        run = await database.fetchrow("SELECT id, since, started_at FROM comparison WHERE id = $1", run_id)
        assert run is not None
        compared, doubtful = await _read_their_book(run)
        doubtful |= {row["reference"] for row in await database.fetch(OPEN_REFERENCES)}
        disputed = {row["reference"] for row in await database.fetch(OPEN_DISPUTES, CLOSED_DISPUTE)}
        disputed |= await _unheard_disputes(run["started_at"] - AFTERMATH)
        await _do_all([(look_again, r) for r in sorted(doubtful)] + [(disputes.sync, r) for r in sorted(disputed)])
    except Exception as error:
        await database.execute(BROKE_OFF, run_id, repr(error)[:500])
        raise
    await database.execute(END, run_id, compared)
    log.info("books compared", payments=compared, looked_at_again=len(doubtful))
    return compared


async def _unheard_disputes(since: datetime) -> set[str]:
    unheard: set[str] = set()
    async for page in current().disputes_since(since):
        rows = await database.fetch(UNHEARD_DISPUTES, [d.id for d in page], [d.intent for d in page])
        unheard |= {row["intent"] for row in rows}
    return unheard


async def _do_all(deeds: Iterable[tuple[Deed, str]]) -> None:
    """One that cannot be done does not hide the others; it is told in the end. A silent provider ends it all."""
    problem: Exception | None = None
    for do, reference in deeds:
        try:
            await do(reference)
        except Exception as error:
            if is_away(error):
                raise
            log.error("cannot be compared", reference=reference, error=error)
            problem = problem or error
    if problem:
        raise problem


async def _read_their_book(run: Any) -> tuple[int, set[str]]:
    """Their list against ours and ours against theirs. Returns how many they have, and the intents that look wrong."""
    since, aftermath = run["since"], run["started_at"] - AFTERMATH
    seen: set[str] = set()
    refunds_seen: set[str] = set()
    doubtful: set[str] = set()
    async for intents in current().intents_since(since):
        seen |= {intent.reference for intent in intents}
        doubtful |= {intent.reference async for intent in _differing(intents)}
        await database.execute(SO_FAR, run["id"], len(seen))
    async for made in current().refunds_since(aftermath):
        refunds_seen |= {refund.reference for refund in made}
        doubtful |= {refund.intent async for refund in _differing_refunds(made)}
    from_until = since + timedelta(hours=1), run["started_at"]
    doubtful |= {row["reference"] for row in await database.fetch(OUR_PAYMENTS, *from_until)} - seen
    for row in await database.fetch(OUR_REFUNDS_MADE, aftermath + timedelta(hours=1), run["started_at"]):
        if row["reference"] not in refunds_seen:
            doubtful.add(row["intent"])
    return len(seen), doubtful


async def _differing(intents: list[Intent]) -> AsyncIterator[Intent]:
    rows = await database.fetch(OURS, [i.reference for i in intents], [i.payment_id for i in intents if i.payment_id])
    for intent in intents:  # a page is a hundred: looking through them is quick
        payment = _matching(intent, rows)
        # What went back is compared refund by refund, from their list of those.
        theirs_back = payment["gone_back"] if payment else 0
        if _judge(intent.reference, intent, payment, theirs_back) or (payment and _may_be_settled(intent, payment)):
            yield intent


async def _differing_refunds(made: list[ProviderRefund]) -> AsyncIterator[ProviderRefund]:
    rows = {row["reference"]: row for row in await database.fetch(OUR_REFUNDS, [r.reference for r in made])}
    ours = {row["reference"] for row in await database.fetch(OURS, [r.intent for r in made], [])}
    for refund in made:
        row = rows.get(refund.reference)
        if refund.intent in ours and (row is None or (row["status"], row["amount"]) != (refund.status, refund.amount)):
            yield refund


def _may_be_settled(intent: Intent, payment: Any) -> bool:
    """Money has moved there, and ours is not at rest."""
    return our_outcome(PaymentStatus(payment["status"])) is None and intent.status != IntentStatus.AWAITING_BUYER


def _judge(reference: str, intent: Intent | None, payment: Any | None, theirs_back: int) -> list[tuple[Kind, str, str]]:
    """What differs about one intent, with both sides in words."""
    if intent is None:
        return [(Kind.UNKNOWN_TO_THEM, "nothing", _say(_our_page(payment)))] if payment else []
    theirs = _their_page(intent, theirs_back)
    if payment is None:
        # Another system may share the account; only what carries our mark, and moved money, is ours to explain.
        is_ours = intent.payment_id is not None and _has_money(theirs)
        return [(Kind.UNKNOWN_TO_US, _say(theirs), "nothing")] if is_ours else []
    if payment["reference"] not in (None, reference):
        if not _has_money(theirs):
            return []
        return [(Kind.SECOND_INTENT, _say(theirs), f"paid by {payment['reference']}")]
    ours = _our_page(payment)
    if ours is None:
        return []
    return [(kind, _say(theirs), _say(ours)) for kind in differences(theirs, ours)]


def _has_money(theirs: Page) -> bool:
    """Of somebody's, still. What went back in full is explained."""
    return theirs.outcome == Outcome.SET_ASIDE or (theirs.outcome == Outcome.TAKEN and theirs.gone_back < theirs.amount)


def _their_page(intent: Intent, theirs_back: int) -> Page:
    outcomes = {IntentStatus.CAPTURED: Outcome.TAKEN, IntentStatus.AUTHORISED: Outcome.SET_ASIDE}
    return Page(outcomes.get(intent.status, Outcome.NOTHING), intent.amount, intent.currency, theirs_back)


def _our_page(payment: Any) -> Page | None:
    outcome = our_outcome(PaymentStatus(payment["status"]))
    if outcome is None:
        return None
    return Page(outcome, payment["captured"] or payment["amount"], payment["currency"], payment["gone_back"])


def _say(page: Page | None) -> str:
    if page is None:
        return "on its way"
    amount = words.money(page.amount, page.currency)
    said = {
        Outcome.NOTHING: "nothing was taken",
        Outcome.SET_ASIDE: f"{amount} is set aside",
        Outcome.TAKEN: f"{amount} was taken",
    }[page.outcome]
    return said + (f", {words.money(page.gone_back, page.currency)} went back" if page.gone_back else "")


async def _ours(reference: str, intent: Intent | None) -> Any | None:
    ids = [intent.payment_id] if intent and intent.payment_id else []
    rows = await database.fetch(OURS, [reference], ids)
    return _matching(intent, rows) if intent else next(iter(rows), None)


def _matching(intent: Intent, rows: Iterable[Any]) -> Any | None:
    """Ours by its reference, else by the mark that the intent carries."""
    ours = list(rows)
    by_reference = (row for row in ours if row["reference"] == intent.reference)
    by_mark = (row for row in ours if row["id"] == intent.payment_id)
    return next(by_reference, None) or next(by_mark, None)


async def _refunds_of(intent: Intent | None) -> list[ProviderRefund]:
    taken = intent is not None and intent.status == IntentStatus.CAPTURED
    return await current().refunds_of(intent.reference) if taken and intent else []
