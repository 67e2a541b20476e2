"""The people behind the desk, for owners: invite, change what they may do, disable."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery

from domain.access import AlreadyAdmin, LastOwner, Permission, Role
from domain.errors import Refusal
from services import admins
from web import site
from web.admin import access, forms
from web.admin.roles import ROLES
from web.rendering import redirect

DONE = {
    "role": "The role is changed. They sign in again to use it.",
    "disabled": "They are signed out and can’t sign in any more.",
    "enabled": "They can sign in again.",
    "second-factor": "Their second factor is removed. They set up a new one when they sign in.",
}
LAST_OWNER = "Somebody must be able to let people in. Make another person owner first."


class AdminsController(Controller):
    path = "/admins"
    opt = access.requires(Permission.MANAGE_ADMINS)

    @get()
    async def show(self, request: Request, done: FromQuery[str] = "") -> Response[Any]:
        return await _page(request, done=DONE.get(done))

    @post(status_code=200)
    async def invite(self, request: Request) -> Response[Any]:
        """The link stands on the answer, once: only its hash is kept."""
        form = await request.form()
        role = forms.role(form)
        email, problem = forms.email(form)
        errors = {"email": problem} if problem else {}
        if role is None:
            errors["role"] = forms.NO_ROLE
        if not errors and role is not None:
            try:
                token = await admins.invite(access.actor(request), email=email, role=role)
                return await _page(request, link=_address(token), whose=email)
            except AlreadyAdmin:
                errors["email"] = forms.ALREADY
        return await _page(request, email=email, role=role, errors=errors)

    @post("/{admin_id:uuid}/link", status_code=200)
    async def invite_again(self, request: Request, admin_id: FromPath[UUID]) -> Response[Any]:
        token = await admins.invite_again(access.actor(request), admin_id)
        return await _page(request, link=_address(token), whose=(await _person(admin_id))["email"])

    @post("/{admin_id:uuid}/role", status_code=200)
    async def change_role(self, request: Request, admin_id: FromPath[UUID]) -> Response[Any]:
        role = forms.role(await request.form())
        if role is None:
            return await _page(request, problem=forms.NO_ROLE)
        try:
            await admins.change_role(access.actor(request), admin_id, role)
        except LastOwner as refusal:
            return await _page(request, problem=LAST_OWNER, refusal=refusal)
        return redirect(request, "/admin/admins?done=role")

    @get("/{admin_id:uuid}/disablement")
    async def ask_to_disable(self, request: Request, admin_id: FromPath[UUID]) -> Response[Any]:
        person = await _person(admin_id)
        return access.page(request, "admin/disablement.html", section="admins", person=person)

    @post("/{admin_id:uuid}/disablement", status_code=200)
    async def disable(self, request: Request, admin_id: FromPath[UUID]) -> Response[Any]:
        try:
            await admins.disable(access.actor(request), admin_id)
        except LastOwner as refusal:
            return await _page(request, problem=LAST_OWNER, refusal=refusal)
        return redirect(request, "/admin/admins?done=disabled")

    @post("/{admin_id:uuid}/enablement", status_code=200)
    async def enable(self, request: Request, admin_id: FromPath[UUID]) -> Response[Any]:
        await admins.enable(access.actor(request), admin_id)
        return redirect(request, "/admin/admins?done=enabled")

    @post("/{admin_id:uuid}/second-factor/removal", status_code=200)
    async def remove_second_factor(self, request: Request, admin_id: FromPath[UUID]) -> Response[Any]:
        await admins.remove_second_factor(access.actor(request), admin_id)
        return redirect(request, "/admin/admins?done=second-factor")


async def _page(
    request: Request,
    *,
    email: str = "",
    role: Role | None = None,
    errors: dict[str, str] | None = None,
    problem: str | None = None,
    refusal: Refusal | None = None,
    link: str | None = None,
    whose: str = "",
    done: str | None = None,
) -> Response[str]:
    return access.page(
        request,
        "admin/admins.html",
        section="admins",
        status_code=409 if refusal else 422 if errors or problem else 200,
        people=await admins.everybody(),
        roles=ROLES,
        email=email,
        role=role,
        errors=errors or {},
        problem=problem,
        link=link,
        whose=whose,
        done=done,
    )


async def _person(admin_id: UUID) -> Any:
    person = next((each for each in await admins.everybody() if each["id"] == admin_id), None)
    if person is None:
        raise NotFoundException
    return person


def _address(token: str) -> str:
    return site.here().absolute(f"/admin/enter/{token}")
