"""The box office: an admin sells tickets that were paid elsewhere, or gives them away."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath

from domain.access import Permission
from domain.desk_sales import PriceChanged
from domain.errors import HoldEnded, InsufficientInventory, Refusal, RequestKeyReused, TooBusy
from domain.events import EventStatus
from domain.inventory import MOST_AT_THE_DESK
from models.stock import Shelf
from services import desk_sales
from tasks import queue
from web.admin import access, event_page, sale_form
from web.admin.sale_form import SaleForm
from web.forms import new_request_key
from web.rendering import redirect
from web.security import BACKGROUND, QUIET

BUSY = "Very busy right now. Nothing was sold, and what you typed is kept: press the button again in a few seconds."
OTHER_PRICE = "The price was changed while you were selling. What you typed is kept: look at what it comes to now."
AGAIN = "That took too long, and the tickets were let go. Nothing was sold, and what you typed is kept: try again."


class BoxOfficeController(Controller):
    path = "/events/{event_id:uuid}/orders"
    opt = access.requires(Permission.EDIT_ORDERS)

    @get("/new")
    async def ask(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        event = await event_page.find(event_id)
        return _page(request, event, sale_form.blank(), await event_page.shelf(event_id))

    @post("/new/summary", opt={BACKGROUND: True, QUIET: True}, status_code=200)
    async def say(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        """What it comes to, while it is being chosen."""
        await event_page.find(event_id)
        form = sale_form.read(await request.form())
        lines = sale_form.summary(form, await event_page.shelf(event_id))
        return access.fragment(request, "admin/box_office/_summary.html", lines=lines)

    @post(status_code=200)
    async def sell(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        """The same form pressed twice sells once."""
        event = await event_page.find(event_id)
        form = sale_form.read(await request.form())
        if form.errors:
            return _page(request, event, form, await event_page.shelf(event_id), status_code=422)
        try:
            order_id = await desk_sales.sell(event_id, form.sale, request_key=form.key, actor=access.actor(request))
        except TooBusy:
            return _page(request, event, form, await event_page.shelf(event_id), problem=BUSY, status_code=503)
        except PriceChanged:
            return _page(request, event, form, await event_page.shelf(event_id), problem=OTHER_PRICE, status_code=409)
        except (HoldEnded, RequestKeyReused):
            form.wish.request_key = new_request_key()
            return _page(request, event, form, await event_page.shelf(event_id), problem=AGAIN, status_code=409)
        except Refusal as refusal:
            return await _refused(request, event, form, refusal)
        await queue.ring("drain_outbox")
        return redirect(request, f"/admin/orders/{order_id}?done=sold")


async def _refused(request: Request, event: Any, form: SaleForm, refusal: Refusal) -> Response[Any]:
    """Looked at after the refusal, so that what is said is so now."""
    shelf = await event_page.shelf(event["id"])
    sale_form.explain(refusal, form, shelf)
    status_code = 409 if isinstance(refusal, InsufficientInventory) else 422
    return _page(request, event, form, shelf, status_code=status_code)


def _page(
    request: Request, event: Any, form: SaleForm, shelf: Shelf, *, problem: str = "", status_code: int = 200
) -> Response[Any]:
    return event_page.page(
        request,
        event,
        "admin/box_office/new.html",
        tab="orders",
        status_code=status_code,
        form=form,
        problem=problem,
        types=sale_form.rows(form, shelf),
        lines=sale_form.summary(form, shelf),
        methods=sale_form.METHODS,
        most=MOST_AT_THE_DESK,
        draft=event["status"] == EventStatus.DRAFT,
        over=event_page.state(event) == event_page.ENDED,
    )
