"""All pages of the desk under one roof: personal, and kept by no cache."""

from litestar import Request, Response, Router, get
from litestar.types import ControllerRouterHandler

from web.admin import access, navigation, payments
from web.admin.account import AccountController
from web.admin.admins import AdminsController
from web.admin.audit import AuditController
from web.admin.box_office import BoxOfficeController
from web.admin.capacity import CapacityController
from web.admin.cover import CoverController
from web.admin.details import DetailsController
from web.admin.enrolment import SecondFactorController
from web.admin.event_orders import EventOrdersController
from web.admin.events import EventsDeskController
from web.admin.export import ExportController
from web.admin.live_desk import LiveDeskController
from web.admin.order import OrderDeskController
from web.admin.orders import OrdersController
from web.admin.payments import PaymentsDeskController
from web.admin.preview import PreviewController
from web.admin.publication import PublicationController
from web.admin.refunds import RefundsDeskController
from web.admin.removal import RemovalController
from web.admin.sign_in import SignInController
from web.admin.tickets import TicketsController
from web.admin.today import TodayController
from web.rendering import redirect
from web.security import PERSONAL


@get("/", opt=access.requires(access.ANY_ADMIN), sync_to_thread=False)
def home(request: Request) -> Response[None]:
    return redirect(request, navigation.home_of(access.me(request).role))


CONTROLLERS: list[ControllerRouterHandler] = [
    home,
    EventsDeskController,
    DetailsController,
    PaymentsDeskController,
    OrdersController,
    OrderDeskController,
    EventOrdersController,
    BoxOfficeController,
    ExportController,
    RefundsDeskController,
    SignInController,
    AuditController,
    CoverController,
    AccountController,
    SecondFactorController,
    AdminsController,
    CapacityController,
    TicketsController,
    PublicationController,
    RemovalController,
    PreviewController,
    TodayController,
    LiveDeskController,
]


def router() -> Router:
    return Router(access.HOME, route_handlers=CONTROLLERS, opt={PERSONAL: True}, before_request=payments.count)
