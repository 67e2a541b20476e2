"""The roles in words."""

from domain.access import Role

ROLES = {
    Role.OWNER: ("Owner", "Everything, and who else may come in"),
    Role.MANAGER: ("Manager", "Events, orders, payments and refunds"),
    Role.DOOR: ("Door", "Check people in and look up their orders"),
    Role.READONLY: ("Read only", "See orders and payments, change nothing"),
}


def name_of(role: str) -> str:
    return ROLES[Role(role)][0]
