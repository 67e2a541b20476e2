"""Who may do what, and how far somebody has come in."""

import pytest

from domain.access import Permission, Role, Stage, may, stage

SEEING = {permission for permission in Permission if permission.value.startswith("see ")}

MAY = {
    Role.OWNER: set(Permission),
    Role.MANAGER: set(Permission) - {Permission.MANAGE_ADMINS},
    Role.DOOR: {Permission.CHECK_IN, Permission.SEE_EVENTS, Permission.SEE_ORDERS},
    Role.READONLY: SEEING,
}


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("permission", Permission)
def test_a_role_may_exactly_what_its_name_says(role, permission):
    assert may(role, permission) is (permission in MAY[role])


@pytest.mark.parametrize("role", ["", "OWNER", "root", "owner ", "admin"])
@pytest.mark.parametrize("permission", Permission)
def test_a_role_that_nobody_knows_may_nothing(role, permission):
    assert not may(role, permission)


def test_only_an_owner_lets_people_in():
    assert [role for role in Role if may(role, Permission.MANAGE_ADMINS)] == [Role.OWNER]


@pytest.mark.parametrize(
    ("has", "shown", "required", "reached"),
    [
        (False, False, False, Stage.IN),
        (False, False, True, Stage.ENROL),
        (False, True, True, Stage.ENROL),
        (True, False, False, Stage.CODE),
        (True, False, True, Stage.CODE),
        (True, True, False, Stage.IN),
        (True, True, True, Stage.IN),
    ],
)
def test_a_second_factor_that_exists_must_be_shown_and_one_that_is_required_must_exist(has, shown, required, reached):
    assert stage(has_second_factor=has, shown=shown, required=required) is reached
