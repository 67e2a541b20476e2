"""The second factor of one's own account: set up, given up, recovery codes."""

from typing import Any

import segno
from litestar import Controller, Request, Response, get, post
from litestar.params import FromQuery
from markupsafe import Markup

from domain.access import Stage, TooManyTries, WrongCode, WrongSignIn
from domain.errors import Refusal
from services import admins, second_factor
from services.second_factor import Offer
from web.admin import access, forms
from web.admin.account import show_account
from web.rendering import redirect

TIMED_OUT = "This code was on the screen for too long. Scan the new one, then type what the app shows."


def is_protected(who: access.Me) -> bool:
    return who.session.has_second_factor


class SecondFactorController(Controller):
    path = "/account/second-factor"
    opt = access.requires(access.ANY_ADMIN)

    @get(opt=access.requires(access.ENROLLING), sync_to_thread=False)
    def show(self, request: Request, next: FromQuery[str] = "") -> Response[Any]:
        who = access.me(request)
        if is_protected(who):
            return redirect(request, "/admin/account")
        return _offer_page(request, second_factor.offer(who.admin_id, who.email), next)

    @post(opt=access.requires(access.ENROLLING, unless=is_protected), status_code=200)
    async def set_up(self, request: Request) -> Response[Any]:
        form, who = await request.form(), access.me(request)
        if is_protected(who):
            return redirect(request, "/admin/account?done=second-factor-on")
        wanted = forms.text(form, "next")
        sealed = form.get("offer")
        offered = second_factor.reopen(sealed if isinstance(sealed, str) else "", who.admin_id, who.email)
        if offered is None:
            return _offer_page(request, second_factor.offer(who.admin_id, who.email), wanted, TIMED_OUT)
        try:
            token, codes = await admins.enrol(who.session, offered, forms.text(form, "code"))
        except (WrongCode, TooManyTries) as refusal:
            return _offer_page(request, offered, wanted, refusal)
        return access.keep_session(_codes_page(request, codes, wanted), token)

    @post("/removal", status_code=200)
    async def give_up(self, request: Request) -> Response[Any]:
        try:
            token = await admins.give_up_second_factor(access.me(request).session, **await _confirmed(request))
        except (WrongSignIn, TooManyTries) as refusal:
            return await show_account(request, problem=(forms.CONFIRM, refusal))
        return access.keep_session(redirect(request, "/admin/account?done=second-factor-off"), token)

    @post("/recovery-codes", status_code=200)
    async def renew_codes(self, request: Request) -> Response[Any]:
        try:
            codes = await admins.renew_recovery_codes(access.me(request).session, **await _confirmed(request))
        except (WrongSignIn, TooManyTries) as refusal:
            return await show_account(request, problem=(forms.CONFIRM, refusal))
        return _codes_page(request, codes, "/admin/account")


async def _confirmed(request: Request) -> dict[str, Any]:
    form = await request.form()
    return {"password": forms.text(form, forms.CONFIRM), "visitor": access.visitor(request)}


def _offer_page(request: Request, offered: Offer, wanted: str, problem: Refusal | str | None = None) -> Response[str]:
    who = access.me(request)
    return access.page(
        request,
        "admin/second_factor.html",
        section="account",
        status_code=200 if problem is None else forms.status_of(problem) if isinstance(problem, Refusal) else 422,
        offer=offered,
        secret=" ".join(offered.secret[start : start + 4] for start in range(0, len(offered.secret), 4)),
        qr=_drawn(offered.uri),
        required=who.stage is Stage.ENROL,
        next=access.safe_next(wanted),
        problem=forms.in_words(problem) if isinstance(problem, Refusal) else problem,
    )


def _codes_page(request: Request, codes: list[str], wanted: str) -> Response[str]:
    """Once: only their hashes are kept."""
    return access.page(
        request, "admin/recovery_codes.html", section="account", codes=codes, next=access.safe_next(wanted)
    )


def _drawn(uri: str) -> Markup:
    code = segno.make(uri, error="m", micro=False)
    return Markup(code.svg_inline(omitsize=True, border=2, dark="#000", light="#fff", svgclass="qr", lineclass=None))
