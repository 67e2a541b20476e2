-- The people behind the desk: who they are, how they come in, and what is open in their name.
-- Nothing here opens a door by itself: passwords, links, session ids and recovery codes are hashes, the secret of the
-- second factor is encrypted with the installation's own key.

CREATE TABLE admin (
    id uuid PRIMARY KEY,
    email text NOT NULL CHECK (email = btrim(email) AND email LIKE '%_@_%'),
    name text NOT NULL DEFAULT '',
    role text NOT NULL CHECK (role IN ('owner', 'manager', 'door', 'readonly')),
    password_hash text CHECK (password_hash LIKE '$argon2id$%'),
    totp_secret text,  -- encrypted; none: no second factor
    totp_last_step bigint NOT NULL DEFAULT 0,  -- a code is good once
    disabled_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX admin_once_per_email ON admin (lower(email));
CREATE TRIGGER touch BEFORE UPDATE ON admin FOR EACH ROW EXECUTE FUNCTION touch();
-- What they did stays theirs: they are disabled, not deleted.
CREATE TRIGGER guard_delete BEFORE DELETE ON admin FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE admin_session (
    id text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{64}$'),  -- SHA-256 of what the cookie says
    admin_id uuid NOT NULL REFERENCES admin ON DELETE RESTRICT,
    second_factor_at timestamptz,
    browser text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz
);
CREATE INDEX admin_session_open ON admin_session (admin_id, last_seen_at) WHERE ended_at IS NULL;

CREATE TABLE admin_link (
    id text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{64}$'),  -- SHA-256 of the token in the address
    admin_id uuid NOT NULL REFERENCES admin ON DELETE RESTRICT,
    purpose text NOT NULL CHECK (purpose IN ('invitation', 'entrance')),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX admin_link_unused ON admin_link (admin_id) WHERE used_at IS NULL;

CREATE TABLE admin_recovery_code (
    id text PRIMARY KEY CHECK (id ~ '^[0-9a-f]{64}$'),  -- keyed hash of the code
    admin_id uuid NOT NULL REFERENCES admin ON DELETE RESTRICT,
    used_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX admin_recovery_code_of_admin ON admin_recovery_code (admin_id);

-- Tries to sign in, counted to slow down whoever guesses. The subject is a keyed hash: people mistype their password
-- into the wrong field.
CREATE TABLE sign_in_attempt (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX sign_in_attempt_of_subject ON sign_in_attempt (subject, created_at);
CREATE INDEX sign_in_attempt_old ON sign_in_attempt (created_at);

CREATE FUNCTION guard_spent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'this row of % is spent', TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER guard_spent BEFORE UPDATE ON admin_session FOR EACH ROW
    WHEN (OLD.ended_at IS NOT NULL) EXECUTE FUNCTION guard_spent();
CREATE TRIGGER guard_spent BEFORE UPDATE ON admin_link FOR EACH ROW
    WHEN (OLD.used_at IS NOT NULL) EXECUTE FUNCTION guard_spent();
CREATE TRIGGER guard_spent BEFORE UPDATE ON admin_recovery_code FOR EACH ROW
    WHEN (OLD.used_at IS NOT NULL) EXECUTE FUNCTION guard_spent();
