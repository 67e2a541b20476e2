"""The browse side of the shop: the list, the event page, holding tickets, and what keeps both pages live."""

import contextlib
import re
from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import UUID

from babel.numbers import get_currency_precision
from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath

from domain.errors import CheckoutNotFound, EventNotFound, Refusal, RequestKeyReused
from domain.events import is_over
from domain.money import decimals
from models import programme, stock
from models.stock import Shelf
from services import checkout, links, reservations
from web import answers, calendar, covers, forms, listing, live, own_hold, rendering, words
from web.availability import Answers, Availability, availability, changes_in, event_pill
from web.live import Seen
from web.own_hold import OwnHold
from web.security import BACKGROUND, QUIET
from web.structured import structured_data
from web.together import Together

LIVE = {QUIET: True, BACKGROUND: True, "no_compression": True}
LIST = "programme"
SHARED = {"Cache-Control": "no-cache", "Vary": "Cookie, HX-Request"}
# Stands in the shared page for the key that each visitor's form gets; no organiser's text can happen to contain it.
ITS_KEY = forms.new_request_key()
SLUG = re.compile("[a-z0-9-]{1,200}")


class EventsController(Controller):
    include_in_schema = False

    @get("/")
    async def index(self, request: Request) -> Response[str]:
        search = listing.read_search(request)
        found = await listing.find(search)
        if rendering.is_htmx(request):
            headers = {"HX-Replace-Url": search.address(page=search.page)}
            return rendering.fragment("events/_results.html", headers=headers, search=search, programme=found)
        return rendering.page(
            request,
            "events/index.html",
            headers={"Vary": "HX-Request", "Cache-Control": "no-cache"},
            nav="events",
            search=search,
            programme=found,
            whens=listing.WHENS.items(),
            cities=await programme.cities(),
            since=f"{found.as_of:.6f}",
        )

    @get("/live", opt=LIVE)
    async def live_list(self, request: Request) -> Response[Any]:
        return live.answer(request, LIST, _look_at_list, since=live.since(request))

    @get("/events/{slug:str}")
    async def show(self, request: Request, slug: FromPath[str]) -> Response[str]:
        if own_hold.is_claimed(request):
            event = await _published(slug)
            return await _page(request, event, await _shelf(event["id"]))
        shared = await _shared_page((slug, rendering.theme_of(request)))
        return rendering.html(shared.replace(ITS_KEY, forms.new_request_key()), headers=SHARED)

    @get("/events/{slug:str}/live", opt=LIVE)
    async def live_event(self, request: Request, slug: FromPath[str]) -> Response[Any]:
        event = await _published(slug)
        return live.answer(request, event["id"], partial(_look_at_event, event))

    @get("/events/{slug:str}/availability", opt={QUIET: True, BACKGROUND: True})
    async def poll(self, request: Request, slug: FromPath[str]) -> Response[str]:
        event = await _published(slug)
        shelf = await _shelf(event["id"])
        return rendering.fragment("events/poll.swap.html", **await _parts(request, event, shelf))

    @post("/events/{slug:str}/checkouts", status_code=303)
    async def hold(self, request: Request, slug: FromPath[str]) -> Response[Any]:
        """Hold what was chosen, or say in the form why not."""
        event = await _published(slug)
        sent = await request.form()
        form = forms.read_wish(sent)
        if form.problems:
            return await _refuse(request, event, 422, answers.answer_problems(form))
        try:
            checkout_id = await _hold(event["id"], form)
        except tuple(answers.STATUS) as refusal:
            return await _answer(request, event, form, refusal)
        await _take_over_buyer(checkout_id, sent.get("from"))
        token = links.checkout_token(checkout_id)
        response = rendering.redirect(request, f"/checkouts/{token}")
        response.cookies.append(own_hold.remember(token))
        return response

    @get("/events/{slug:str}/checkouts")
    async def go_back(self, request: Request, slug: FromPath[str]) -> Response[Any]:
        """The address of the form, opened by hand or reloaded."""
        return rendering.redirect(request, f"/events/{(await _published(slug))['slug']}")

    @get("/events/{slug:str}/calendar.ics")
    async def calendar_file(self, slug: FromPath[str]) -> Response[bytes]:
        return calendar.invitation(await _published(slug), url=f"/events/{slug}")


async def _look_up(slug: str) -> dict[str, Any]:
    event = await programme.published(slug) if SLUG.fullmatch(slug) else None
    if event is None:
        raise EventNotFound
    return event


async def _look_at_stock(event_id: UUID) -> Shelf:
    shelf = (await stock.look([event_id])).get(event_id)
    if shelf is None:
        raise EventNotFound
    return shelf


async def _render_shared(slug_and_theme: tuple[str, str | None]) -> str:
    """The page as everybody sees it who holds nothing of this event, with a mark where each one's key goes."""
    slug, theme = slug_and_theme
    event = await _published(slug)
    shelf = await _shelf(event["id"])
    parts = shown(event, shelf, None, None)
    return rendering.render(
        "events/show.html", theme=theme, nav=None, request_key=ITS_KEY, **parts, **about(event, shelf, parts["a"])
    )


_published = Together(_look_up)
_shelf = Together(_look_at_stock)
_shared_page = Together(_render_shared)


async def _hold(event_id: UUID, form: forms.WishForm) -> UUID:
    """A key that already stands for another wish (an old page out of the browser's memory) gets a spare one."""
    try:
        return await reservations.hold_tickets(event_id, wish=form.wish, request_key=form.request_key)
    except RequestKeyReused:
        return await reservations.hold_tickets(event_id, wish=form.wish, request_key=form.spare_key())


async def _take_over_buyer(checkout_id: UUID, ended: object) -> None:
    """Who starts again from an ended hold sends its link along."""
    if isinstance(ended, str) and ended:
        with contextlib.suppress(CheckoutNotFound):
            await checkout.take_over_buyer(checkout_id, from_checkout=links.checkout_behind(ended))


async def _answer(request: Request, event: Mapping[str, Any], form: forms.WishForm, refusal: Refusal) -> Response[str]:
    shelf = await _shelf(event["id"])
    said = answers.answer_refusal(refusal, form, shelf, event["timezone"])
    return await _refuse(request, event, answers.STATUS[type(refusal)], said, shelf=shelf, key=form.request_key)


async def _refuse(
    request: Request,
    event: Mapping[str, Any],
    status: int,
    said: Answers,
    *,
    shelf: Shelf | None = None,
    key: str | None = None,
) -> Response[str]:
    """The form again, with everything that was typed. Nothing is held, so the page may go on using its key."""
    shelf = shelf or await _shelf(event["id"])
    headers = {"Retry-After": "3"} if status == 503 else {}
    if rendering.is_htmx(request):
        parts = await _parts(request, event, shelf, said)
        return rendering.fragment("events/refused.swap.html", status_code=status, headers=headers, **parts)
    return await _page(request, event, shelf, said, status=status, headers=headers, key=key)


async def _page(
    request: Request,
    event: Mapping[str, Any],
    shelf: Shelf,
    said: Answers | None = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    key: str | None = None,
) -> Response[str]:
    parts = await _parts(request, event, shelf, said)
    # A page with the visitor's own hold in it is theirs alone.
    caching = {"Cache-Control": "no-store"} if parts["hold"] else {}
    return rendering.page(
        request,
        "events/show.html",
        status_code=status,
        headers={**SHARED, **caching, **(headers or {})},
        request_key=key or forms.new_request_key(),
        **parts,
        **about(event, shelf, parts["a"]),
    )


def about(event: Mapping[str, Any], shelf: Shelf, shown: Availability) -> dict[str, Any]:
    """What does not change while the page is open."""
    start, timezone = event["start_date"], event["timezone"]
    return {
        "event": event,
        "hue": covers.hue(event),
        "over": is_over(start_date=start, end_date=event["end_date"], now=shelf.now),
        "times": words.span(start, event["end_date"], timezone),
        "zone_name": words.zone_name(start, timezone),
        "zone_offset": words.zone_offset(start, timezone),
        "blurb": _blurb(event, shown),
        "limits": _limits(shown),
        "decimals": decimals(event["currency"]),
        "digits": get_currency_precision(event["currency"]),
        "structured_data": structured_data(event, shown),
    }


async def _parts(
    request: Request, event: Mapping[str, Any], shelf: Shelf, said: Answers | None = None
) -> dict[str, Any]:
    """What changes while the page is open."""
    return shown(event, shelf, said, await own_hold.own_hold(request, event["id"]))


def shown(event: Mapping[str, Any], shelf: Shelf, said: Answers | None, own: OwnHold | None) -> dict[str, Any]:
    return {"a": availability(event, shelf, said), "timezone": event["timezone"], **own_hold.shown(own)}


async def _look_at_event(event: dict[str, Any], _: set[UUID] | None) -> dict[UUID, Seen]:
    """One event for its open pages. Taken off sale, it says so."""
    shelf = await _shelf(event["id"])
    fresh = await programme.published(event["slug"])
    shown = availability(fresh or event, shelf)
    body = rendering.render("events/live.swap.html", a=shown)
    return {event["id"]: Seen(body, shelf.now.timestamp(), changes_in(shelf))}


async def _look_at_list(changed: set[UUID] | None) -> dict[UUID, Seen]:
    """The pills on the cards of the list: those that changed, or all."""
    ids = [e.id for e in await programme.upcoming()] if changed is None else list(changed)
    shelves = await stock.look(ids)
    zones = {row["id"]: row["timezone"] for row in await programme.cards(list(shelves))}
    seen = {}
    for event_id, shelf in shelves.items():
        pill = event_pill(shelf, zones[event_id])
        body = rendering.render("events/pill.swap.html", id=f"avail-{event_id}", level=pill.level, words=pill.words)
        seen[event_id] = Seen(body, shelf.now.timestamp(), changes_in(shelf))
    return seen


def _blurb(event: Mapping[str, Any], shown: Availability) -> str:
    """What a link to the event says where it is shared."""
    when = words.when_in_words(event["start_date"], event["timezone"])
    where = event["location"] or event["city"]
    return " · ".join(part for part in (event["summary"], when, where) if part)


def _limits(shown: Availability) -> str:
    """Empty where nothing is offered."""
    if not shown.rows:
        return ""
    largest = {row.largest for row in shown.rows}
    if len(largest) == 1:
        said = f"Up to {words.plural(largest.pop(), 'ticket')} of each type per order."
    else:
        said = "Per order: " + ", ".join(f"up to {row.largest} {row.name}" for row in shown.rows) + "."
    minimums = [f"{row.name} from {row.smallest} on" for row in shown.rows if row.smallest > 1]
    return " ".join([said, *([f"Sold {', '.join(minimums)}."] if minimums else []), "No fees are added."])
