from litestar import Controller, Request, Response, get
from web import rendering
class EventsController(Controller):
    @get("/")
    async def index(self, request: Request) -> Response[str]:
        return rendering.page(request, "events/index.html", nav="events")
