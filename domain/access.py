"""Who may do what behind the desk. One table, one decision, and whatever is not in the table is refused."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from domain.errors import Refusal

# A session ends when nobody touches it, and in any case after a long working day.
IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=12)

INVITATION_LIVES = timedelta(days=3)
ENTRANCE_LIVES = timedelta(hours=12)


class Role(StrEnum):
    OWNER = "owner"
    MANAGER = "manager"
    DOOR = "door"
    READONLY = "readonly"


class Permission(StrEnum):
    SEE_EVENTS = "see events"
    EDIT_EVENTS = "edit events"
    SEE_SALES = "see sales"  # what is sold and held, and for how much
    SEE_ORDERS = "see orders"
    EDIT_ORDERS = "edit orders"  # correct a name, send tickets again, sell at the desk
    EXPORT_ORDERS = "export orders"
    SEE_PAYMENTS = "see payments"
    SETTLE_PAYMENTS = "settle payments"  # ask the provider again, retry
    REFUND = "refund"
    CHECK_IN = "check in"
    SEE_AUDIT = "see the audit"
    MANAGE_ADMINS = "manage admins"


_MAY: dict[Role, frozenset[Permission]] = {
    Role.OWNER: frozenset(Permission),
    Role.MANAGER: frozenset(Permission) - {Permission.MANAGE_ADMINS},
    Role.DOOR: frozenset({Permission.CHECK_IN, Permission.SEE_EVENTS, Permission.SEE_ORDERS}),
    Role.READONLY: frozenset(
        {
            Permission.SEE_EVENTS,
            Permission.SEE_SALES,
            Permission.SEE_ORDERS,
            Permission.SEE_PAYMENTS,
            Permission.SEE_AUDIT,
        }
    ),
}


def may(role: str, permission: Permission) -> bool:
    """The one decision. A role that nobody knows may nothing."""
    return permission in _MAY.get(role, frozenset())  # type: ignore[call-overload]


class Stage(StrEnum):
    """How far somebody has come in."""

    CODE = "code"  # the password was right, the second factor is still to be shown
    ENROL = "enrol"  # this installation wants a second factor, and there is none yet
    IN = "in"


def stage(*, has_second_factor: bool, shown: bool, required: bool) -> Stage:
    if has_second_factor and not shown:
        return Stage.CODE
    return Stage.ENROL if required and not has_second_factor else Stage.IN


class NotPermitted(Refusal):
    """Signed in, but the role does not allow this."""


class WrongSignIn(Refusal):
    """E-mail and password do not belong together, the admin is disabled, or there is none: nobody learns which."""


class WrongCode(Refusal):
    """Not the code that the second factor shows now, one that was used already, or no recovery code of theirs."""


@dataclass(eq=False)
class TooManyTries(Refusal):
    """Somebody is guessing. `wait`: until the next try will be looked at."""

    wait: timedelta


class LinkSpent(Refusal):
    """A one-time link that was used, has run out, or never was one."""


class PasswordUnfit(Refusal):
    """A new password that would be guessed. Its text says why, and what would do."""


class PasswordNeeded(Refusal):
    """This would make an owner, or open the way to an owner's account: whoever does it shows their password again."""


class OwnAccount(Refusal):
    """What an owner does for others: one's own password and second factor are changed on one's own account page, which
    asks for the password."""


class AdminNotFound(Refusal):
    """No admin by that id."""


class AlreadyAdmin(Refusal):
    """There is an admin with this e-mail address."""


class LastOwner(Refusal):
    """Somebody must be able to let people in: the last owner stays one."""
