"""Coming in: e-mail and password, the second factor, and one-time links."""

from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, FromQuery

from domain.access import LinkSpent, PasswordUnfit, Stage, TooManyTries, WrongCode, WrongSignIn
from domain.errors import Refusal
from services import admins, sign_in
from services.sign_in import Admitted
from web import site
from web.admin import access, forms, roles
from web.rendering import redirect


def is_in(who: access.Me) -> bool:
    return who.stage is not Stage.CODE


class SignInController(Controller):
    opt = access.requires(access.PUBLIC)

    @get("/login", sync_to_thread=False)
    def show(self, request: Request, next: FromQuery[str] = "") -> Response[Any]:
        if request.state.me is not None:
            return redirect(request, access.safe_next(next))
        return _login_page(request, next)

    @post("/login", status_code=200)
    async def enter(self, request: Request) -> Response[Any]:
        form = await request.form()
        email, wanted = forms.text(form, "email"), forms.text(form, "next")
        try:
            admitted = await sign_in.with_password(
                email=email, password=forms.text(form, "password"), visitor=access.visitor(request)
            )
        except (WrongSignIn, TooManyTries) as refusal:
            return _login_page(request, wanted, email=email, refusal=refusal)
        return _let_in(request, admitted, wanted)

    @get("/login/code", opt=access.requires(access.FIRST_FACTOR), sync_to_thread=False)
    def ask_code(self, request: Request, next: FromQuery[str] = "") -> Response[Any]:
        if is_in(access.me(request)):
            return redirect(request, access.safe_next(next))
        return _code_page(request, next)

    @post("/login/code", opt=access.requires(access.FIRST_FACTOR, unless=is_in), status_code=200)
    async def take_code(self, request: Request) -> Response[Any]:
        form, who = await request.form(), access.me(request)
        wanted = forms.text(form, "next")
        if is_in(who):
            return redirect(request, access.safe_next(wanted))
        try:
            admitted = await sign_in.with_code(who.session, forms.text(form, "code"), access.visitor(request))
        except (WrongCode, TooManyTries) as refusal:
            return _code_page(request, wanted, refusal)
        return _let_in(request, admitted, wanted)

    @post("/logout", opt=access.requires(access.FIRST_FACTOR), status_code=303)
    async def leave(self, request: Request) -> Response[Any]:
        await sign_in.out(access.me(request).session)
        return access.forget_session(redirect(request, access.LOGIN))

    @get("/enter/{token:str}")
    async def open_link(self, request: Request, token: FromPath[str]) -> Response[Any]:
        """Looking uses nothing up: mail programs look at links before their reader does."""
        try:
            link = await sign_in.link_behind(token)
        except LinkSpent:
            return _spent_page(request)
        return _link_page(request, token, link)

    @post("/enter/{token:str}", status_code=200)
    async def use_link(self, request: Request, token: FromPath[str]) -> Response[Any]:
        try:
            link = await sign_in.link_behind(token)
            if link["purpose"] == "entrance":
                return _let_in(request, await sign_in.with_entrance(token, access.visitor(request)), "")
            return await _accept(request, token, link)
        except LinkSpent:
            return _spent_page(request)


async def _accept(request: Request, token: str, link: Any) -> Response[Any]:
    form = await request.form()
    name, problem = forms.name(form)
    errors = {"name": problem} if problem else {}
    try:
        if not errors:
            admitted = await admins.accept(
                token,
                name=name,
                password=forms.text(form, "password"),
                host=site.here().base_url,
                visitor=access.visitor(request),
            )
            return _let_in(request, admitted, "", welcome=True)
    except PasswordUnfit as unfit:
        errors["password"] = str(unfit)
    return _link_page(request, token, link, name=name, errors=errors)


def _let_in(request: Request, admitted: Admitted, wanted: str, *, welcome: bool = False) -> Response[Any]:
    """The guard of the next page asks for whatever is still missing, and leads on from there."""
    return access.keep(redirect(request, access.ENROLMENT if welcome else access.safe_next(wanted)), admitted)


def _login_page(request: Request, wanted: str, *, email: str = "", refusal: Refusal | None = None) -> Response[str]:
    return access.page(
        request,
        "admin/login.html",
        status_code=forms.status_of(refusal) if refusal else 200,
        next=wanted,
        email=email,
        wait=forms.minutes(refusal.wait) if isinstance(refusal, TooManyTries) else None,
        problem=forms.WRONG_SIGN_IN if isinstance(refusal, WrongSignIn) else None,
    )


def _code_page(request: Request, wanted: str, refusal: Refusal | None = None) -> Response[str]:
    return access.page(
        request,
        "admin/code.html",
        status_code=forms.status_of(refusal) if refusal else 200,
        next=wanted,
        problem=forms.in_words(refusal) if refusal else None,
    )


def _link_page(
    request: Request, token: str, link: Any, *, name: str | None = None, errors: dict[str, str] | None = None
) -> Response[str]:
    return access.page(
        request,
        "admin/enter.html",
        status_code=422 if errors else 200,
        token=token,
        link=link,
        role_words=roles.name_of(link["role"]),
        name=link["name"] if name is None else name,
        errors=errors or {},
    )


def _spent_page(request: Request) -> Response[str]:
    return access.page(request, "admin/link_spent.html", status_code=410)
