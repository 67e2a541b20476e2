"""One's own account: password, second factor, and where one is signed in."""

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.params import FromQuery

from domain.access import PasswordUnfit, TooManyTries, WrongSignIn
from domain.errors import Refusal
from services import admin_sessions, admins, second_factor
from web import site
from web.admin import access, forms
from web.rendering import redirect

DONE = {
    "password": "Your password is changed. Other browsers are signed out.",
    "session": "That browser is signed out.",
    "second-factor-on": "The second factor is on. If you haven’t seen your recovery codes, make new ones below.",
    "second-factor-off": "The second factor is off.",
}


class AccountController(Controller):
    path = "/account"
    opt = access.requires(access.ANY_ADMIN)

    @get()
    async def show(self, request: Request, done: FromQuery[str] = "") -> Response[Any]:
        return await show_account(request, done=DONE.get(done))

    @post("/password", status_code=200)
    async def change_password(self, request: Request) -> Response[Any]:
        form = await request.form()
        try:
            token = await admins.change_password(
                access.me(request).session,
                current=forms.text(form, "current-password"),
                new=forms.text(form, "new-password"),
                host=site.here().base_url,
                visitor=access.visitor(request),
            )
        except (WrongSignIn, TooManyTries) as refusal:
            return await show_account(request, problem=("current-password", refusal))
        except PasswordUnfit as unfit:
            return await show_account(request, problem=("new-password", unfit))
        return access.keep_session(redirect(request, "/admin/account?done=password"), token)

    @post("/sessions/end", status_code=200)
    async def end_session(self, request: Request) -> Response[Any]:
        await admins.end_session(access.me(request).session, forms.text(await request.form(), "session"))
        return redirect(request, "/admin/account?done=session")

    @post("/sessions/end-all", status_code=200)
    async def sign_out_everywhere(self, request: Request) -> Response[Any]:
        await admins.sign_out_everywhere(access.me(request).session)
        return access.forget_session(redirect(request, access.LOGIN))


async def show_account(
    request: Request, *, done: str | None = None, problem: tuple[str, Refusal] | None = None
) -> Response[str]:
    """`problem`: the field or form it belongs to, and what it is."""
    session = access.me(request).session
    return access.page(
        request,
        "admin/account.html",
        section="account",
        status_code=forms.status_of(problem[1]) if problem else 200,
        session=session,
        sessions=await admin_sessions.open_ones(session.admin_id),
        codes_left=await second_factor.codes_left(session.admin_id),
        done=done,
        problem={problem[0]: forms.in_words(problem[1])} if problem else {},
    )
