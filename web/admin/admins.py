"""The people behind the desk, for owners: invite, change what they may do, disable.

What makes an owner, or opens the way to an owner's account, is asked about on a page of its own, with the password.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery

from domain.access import (
    AlreadyAdmin,
    LastOwner,
    OwnAccount,
    PasswordNeeded,
    Permission,
    Role,
    TooManyTries,
    WrongSignIn,
)
from domain.errors import Overtaken, Refusal
from models import audit
from services import admins
from services.sign_in import Proof
from web import site
from web.admin import access, forms, roles
from web.admin.roles import ROLES
from web.rendering import redirect

DONE = {
    "role": "The role is changed. They sign in again to use it.",
    "disabled": "They are signed out and can’t sign in any more.",
    "enabled": "They can sign in again.",
    "second-factor": "Their second factor is removed. They set up a new one when they sign in.",
}
WHY_NOT = {
    LastOwner: "Somebody must be able to let people in. Make another person owner first.",
    OwnAccount: "This is your own account. Your password and your second factor are changed under Account.",
}


@dataclass(frozen=True, slots=True)
class Question:
    """Asked with the password. “{}” is whom it is about."""

    title: str
    words: str
    button: str


POWER = "An owner can do everything here, and decides who else may come in."
INVITE = Question("Invite {} as an owner?", POWER, "Make a link")
PROMOTE = Question("Make {} an owner?", POWER, "Make them an owner")
LINK = Question(
    "Make a new link for {}?",
    "They are an owner. Whoever opens the link chooses a new password for their account.",
    "Make a link",
)
ENABLE = Question("Let {} in again?", f"They are an owner. {POWER}", "Let them in again")
UNPROTECT = Question(
    "Remove the second factor of {}?",
    "They are an owner. Until they set up a new one, their password alone lets them in.",
    "Remove it",
)
# What is asked with the password, and what is said of the answer.
TO_CONFIRM = (PasswordNeeded, WrongSignIn, TooManyTries)
# What the question carries on: whatever was chosen before it.
CHOSEN = ("email", "role", "was")


@dataclass(frozen=True, slots=True)
class Clash:
    """Two chose a role for the same person. `choice`: what is kept of the one who came second."""

    admin_id: UUID
    choice: Role
    words: str


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
                token = await admins.invite(access.actor(request), email=email, role=role, proof=await _proof(request))
                return await _page(request, link=_address(token), whose=email)
            except AlreadyAdmin:
                errors["email"] = forms.ALREADY
            except TO_CONFIRM as refusal:
                return await _ask(request, INVITE, email, refusal)
        return await _page(request, email=email, role=role, errors=errors)

    @post("/{admin_id:uuid}/link", status_code=200)
    async def invite_again(self, request: Request, admin_id: FromPath[UUID]) -> Response[Any]:
        try:
            token = await admins.invite_again(access.actor(request), admin_id, proof=await _proof(request))
        except OwnAccount as refusal:
            return await _page(request, refusal=refusal)
        except TO_CONFIRM as refusal:
            return await _ask(request, LINK, await _name(admin_id), refusal)
        return await _page(request, link=_address(token), whose=(await _person(admin_id))["email"])

    @post("/{admin_id:uuid}/role", status_code=200)
    async def change_role(self, request: Request, admin_id: FromPath[UUID]) -> Response[Any]:
        form = await request.form()
        role, was = forms.role(form), forms.role(form, "was")
        if role is None:
            return await _page(request, problem=forms.NO_ROLE)
        try:
            await admins.change_role(access.actor(request), admin_id, role, was=was, proof=await _proof(request))
        except LastOwner as refusal:
            return await _page(request, refusal=refusal)
        except Overtaken as refusal:
            return await _page(request, refusal=refusal, clash=await _clash(admin_id, role))
        except TO_CONFIRM as refusal:
            return await _ask(request, PROMOTE, await _name(admin_id), refusal)
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
            return await _page(request, refusal=refusal)
        return redirect(request, "/admin/admins?done=disabled")

    @post("/{admin_id:uuid}/enablement", status_code=200)
    async def enable(self, request: Request, admin_id: FromPath[UUID]) -> Response[Any]:
        try:
            await admins.enable(access.actor(request), admin_id, proof=await _proof(request))
        except TO_CONFIRM as refusal:
            return await _ask(request, ENABLE, await _name(admin_id), refusal)
        return redirect(request, "/admin/admins?done=enabled")

    @post("/{admin_id:uuid}/second-factor/removal", status_code=200)
    async def remove_second_factor(self, request: Request, admin_id: FromPath[UUID]) -> Response[Any]:
        try:
            await admins.remove_second_factor(access.actor(request), admin_id, proof=await _proof(request))
        except OwnAccount as refusal:
            return await _page(request, refusal=refusal)
        except TO_CONFIRM as refusal:
            return await _ask(request, UNPROTECT, await _name(admin_id), refusal)
        return redirect(request, "/admin/admins?done=second-factor")


async def _page(
    request: Request,
    *,
    email: str = "",
    role: Role | None = None,
    errors: dict[str, str] | None = None,
    problem: str | None = None,
    refusal: Refusal | None = None,
    clash: Clash | None = None,
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
        problem=WHY_NOT.get(type(refusal), problem) if refusal else problem,
        clash=clash,
        link=link,
        whose=whose,
        done=done,
    )


async def _ask(request: Request, question: Question, whom: str, refusal: Refusal) -> Response[str]:
    """Nothing has happened yet. The form goes where the first one went, with the same choice."""
    form, asked_again = await request.form(), not isinstance(refusal, PasswordNeeded)
    return access.page(
        request,
        "admin/confirm.html",
        section="admins",
        status_code=forms.status_of(refusal) if asked_again else 200,
        title=question.title.format(whom),
        question=question,
        address=request.url.path,
        chosen={name: forms.text(form, name) for name in CHOSEN if name in form},
        has_password=access.me(request).session.has_password,
        problem=forms.in_words(refusal) if asked_again else None,
    )


async def _proof(request: Request) -> Proof | None:
    """The password, where the form has asked for it."""
    form = await request.form()
    if forms.CONFIRM not in form:
        return None
    return Proof(access.me(request).session, forms.text(form, forms.CONFIRM), access.visitor(request))


async def _clash(admin_id: UUID, choice: Role) -> Clash:
    now, deed = (await _person(admin_id))["role"], await audit.last_time("changed the role", "admin", admin_id)
    who = deed["actor_name"] if deed else "Somebody"
    words = (
        f"{who} has set the role of {await _name(admin_id)} to {roles.name_of(now)}. You chose {roles.name_of(choice)}."
    )
    return Clash(admin_id, choice, f"{words} Your choice is kept: save again if yours is right.")


async def _name(admin_id: UUID) -> str:
    person = await _person(admin_id)
    return person["name"] or person["email"]


async def _person(admin_id: UUID) -> Any:
    person = next((each for each in await admins.everybody() if each["id"] == admin_id), None)
    if person is None:
        raise NotFoundException
    return person


def _address(token: str) -> str:
    return site.here().absolute(f"/admin/enter/{token}")
