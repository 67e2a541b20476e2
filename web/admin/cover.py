"""The cover of an event at the desk: upload one, go back to the drawn one, draw another."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import UploadFile
from litestar.params import FromPath

from domain.access import Permission
from domain.covers import LARGEST_FILE, PictureUnfit
from domain.errors import EventNotFound, Overtaken
from models import cover as pictures
from models import event_desk
from services import covers
from web import words
from web.admin import access, event_page, forms
from web.admin.typed import exactly
from web.covers import FILES, picture
from web.rendering import is_htmx, redirect
from web.security import PICTURE, QUIET, UPLOAD

# A file that is a little too large is answered in the form; what is larger still is not read at all.
LARGEST_BODY = LARGEST_FILE + 4_000_000


class CoverController(Controller):
    path = "/events/{event_id:uuid}/cover"
    opt = access.requires(Permission.EDIT_EVENTS)

    @get()
    async def show(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        return await _answer(request, event_id)

    @post(status_code=200, request_max_body_size=LARGEST_BODY, opt={UPLOAD: True})
    async def upload(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        await event_page.find(event_id)
        form = await request.form()
        sent = form.get("picture")
        file = await sent.read() if isinstance(sent, UploadFile) else b""
        try:
            await covers.upload(event_id, file, was=exactly(form, "was") or None, actor=access.actor(request))
        except PictureUnfit as unfit:
            return await _answer(request, event_id, 422, problem=str(unfit))
        except Overtaken:
            return await _overtaken(request, event_id, "Yours was not taken: upload it again to replace this one.")
        return await _done(request, event_id)

    @post("/removal", status_code=200)
    async def remove(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        was = exactly(await request.form(), "was") or ""
        try:
            await covers.remove(event_id, was=was, actor=access.actor(request))
        except Overtaken:
            return await _overtaken(request, event_id, "It was not removed: decide again.")
        return await _done(request, event_id)

    @post("/drawing", status_code=200)
    async def draw_another(self, request: Request, event_id: FromPath[UUID]) -> Response[Any]:
        was = forms.text(await request.form(), "was")
        if was.isascii() and was.isdecimal() and len(was) < 9:
            await covers.draw_another(event_id, was=int(was), actor=access.actor(request))
        return await _done(request, event_id)

    @get("/{name:str}/{file:str}", opt={**access.requires(Permission.SEE_EVENTS), QUIET: True, PICTURE: True})
    async def see(self, event_id: FromPath[UUID], name: FromPath[str], file: FromPath[str]) -> Response[Any]:
        """What the public does not see yet."""
        size, media_type = FILES.get(file, (None, ""))
        found = await pictures.of(event_id, size) if size else None
        if found is None:
            raise EventNotFound
        return picture(found, media_type, caching="no-store")


async def _done(request: Request, event_id: UUID) -> Response[Any]:
    """Without the script to the page of the event's details, where the picture stands."""
    if is_htmx(request):
        return await _answer(request, event_id)
    return redirect(request, f"/admin/events/{event_id}/cover")


async def _overtaken(request: Request, event_id: UUID, so: str) -> Response[Any]:
    """What they made of it, who they are, and the same forms once more."""
    event, change = await event_page.find(event_id), await event_desk.last_change(event_id, "cover")
    name = change["actor_name"] if change else "Somebody"
    who = "You" if change and change["actor_id"] == access.me(request).admin_id else name
    did = "uploaded this picture" if event["cover"] else "went back to the drawn one"
    at, timezone = change["created_at"] if change else event["updated_at"], event["timezone"]
    told = f"{who} {did} at {words.clock(at, timezone)} {words.zone_name(at, timezone)}", so
    return await _answer(request, event_id, 409, told=told)


async def _answer(
    request: Request,
    event_id: UUID,
    status: int = 200,
    *,
    problem: str | None = None,
    told: tuple[str, str] | None = None,
) -> Response[Any]:
    event = await event_page.find(event_id)
    values = {"cover_problem": problem, "cover_told": told}
    if is_htmx(request):
        values |= event_page.frame(request, event, "details")
        return access.fragment(request, "admin/events/_cover.html", status_code=status, **values)
    return event_page.page(request, event, "admin/events/cover.html", tab="details", status_code=status, **values)
