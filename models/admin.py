"""Admin (a person behind the desk), their sessions, one-time links and recovery codes, and counted tries to sign in."""

from piccolo.columns import UUID, BigInt, ForeignKey, Text, Timestamptz
from piccolo.columns.base import OnDelete
from piccolo.table import Table

from models.ids import new_id


class Admin(Table, tablename="admin"):
    id = UUID(primary_key=True, default=new_id)
    email = Text(default=None)
    name = Text(default="")
    role = Text(default=None)
    password_hash = Text(default=None, null=True)
    totp_secret = Text(default=None, null=True)
    totp_last_step = BigInt(default=0)
    disabled_at = Timestamptz(default=None, null=True)
    created_at = Timestamptz()
    updated_at = Timestamptz()


class AdminSession(Table, tablename="admin_session"):
    id = Text(primary_key=True, default=None)
    admin_id = ForeignKey(Admin, default=None, on_delete=OnDelete.restrict, null=False)
    second_factor_at = Timestamptz(default=None, null=True)
    browser = Text(default="")
    created_at = Timestamptz()
    last_seen_at = Timestamptz()
    ended_at = Timestamptz(default=None, null=True)


class AdminLink(Table, tablename="admin_link"):
    id = Text(primary_key=True, default=None)
    admin_id = ForeignKey(Admin, default=None, on_delete=OnDelete.restrict, null=False)
    purpose = Text(default=None)
    expires_at = Timestamptz(default=None)
    used_at = Timestamptz(default=None, null=True)
    created_at = Timestamptz()


class AdminRecoveryCode(Table, tablename="admin_recovery_code"):
    id = Text(primary_key=True, default=None)
    admin_id = ForeignKey(Admin, default=None, on_delete=OnDelete.restrict, null=False)
    used_at = Timestamptz(default=None, null=True)
    created_at = Timestamptz()


class SignInAttempt(Table, tablename="sign_in_attempt"):
    id = BigInt(primary_key=True, default=None)
    subject = Text(default=None)
    created_at = Timestamptz()
