"""The door for the payment provider: verify, keep, leave a note for the worker, answer. The work is a job's."""

from litestar import Request, Response, post

from services import notices
from services.gateway import NoticeRefused, WhyRefused
from tasks import queue
from web import site
from web.security import ANY_ORIGIN

MAX_NOTICE = 256 * 1024


@post(
    "/stripe/webhook",
    status_code=200,
    request_max_body_size=MAX_NOTICE,
    opt={ANY_ORIGIN: True, "no_compression": True},
)
async def receive_notice(request: Request) -> Response[str]:
    """200 once a genuine notice is safe in the database, however little we care about it; 400 for anything else."""
    try:
        notice = notices.read(await request.body(), request.headers.get("stripe-signature", ""))
    except NoticeRefused as refusal:
        await notices.count_refused(refusal.reason)
        return _answer("refused", status_code=400)
    if notice.livemode == site.here().test_mode:
        await notices.count_refused(WhyRefused.OTHER_MODE)
        return _answer("of the other mode, ignored")
    if await notices.keep(notice):
        await queue.ring("handle_notices")
    return _answer("kept")


def _answer(words: str, *, status_code: int = 200) -> Response[str]:
    return Response(words, media_type="text/plain", status_code=status_code, headers={"Cache-Control": "no-store"})
