-- Payments made whole: money that goes back, disputes, the daily comparison with the provider, the pace of our calls,
-- and who did what.

-- What was really taken, in minor units: by hand, in the provider's dashboard, a part can be taken of what was asked.
ALTER TABLE payment ADD COLUMN captured bigint;
-- The place in line that its start has been given when more buyers come than the provider may be asked for.
ALTER TABLE payment ADD COLUMN turn_at timestamptz;
UPDATE payment SET captured = amount WHERE status = 'CAPTURED';
ALTER TABLE payment DROP CONSTRAINT payment_status_check;
ALTER TABLE payment ADD CONSTRAINT payment_status_check
    CHECK (status IN ('CREATING', 'OPEN', 'CAPTURING', 'CAPTURED', 'VOIDING', 'VOIDED', 'REFUNDED'));
ALTER TABLE payment ADD CONSTRAINT payment_taken_is_known CHECK (
    CASE status WHEN 'CAPTURED' THEN captured = amount WHEN 'REFUNDED' THEN captured > 0 ELSE captured IS NULL END
    IS TRUE
);
DROP INDEX payment_one_live_per_checkout;
CREATE UNIQUE INDEX payment_one_live_per_checkout ON payment (checkout_id) WHERE status NOT IN ('VOIDED', 'REFUNDED');

CREATE OR REPLACE FUNCTION guard_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'CREATING' THEN
            RAISE EXCEPTION 'a payment is born CREATING' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN (
        ('CREATING', 'OPEN'), ('CREATING', 'VOIDED'),
        ('OPEN', 'CAPTURING'), ('OPEN', 'VOIDING'), ('OPEN', 'VOIDED'), ('OPEN', 'REFUNDED'),
        ('CAPTURING', 'CAPTURED'), ('CAPTURING', 'VOIDING'), ('CAPTURING', 'VOIDED'), ('CAPTURING', 'REFUNDED'),
        ('VOIDING', 'VOIDED'), ('VOIDING', 'REFUNDED'),
        ('VOIDED', 'REFUNDED')
    ) THEN
        RAISE EXCEPTION 'payment %: % does not become %', OLD.id, OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    IF (NEW.checkout_id, NEW.provider, NEW.amount, NEW.currency)
       IS DISTINCT FROM (OLD.checkout_id, OLD.provider, OLD.amount, OLD.currency)
       OR (OLD.reference IS NOT NULL AND NEW.reference IS DISTINCT FROM OLD.reference)
       OR (OLD.captured IS NOT NULL AND NEW.captured IS DISTINCT FROM OLD.captured) THEN
        RAISE EXCEPTION 'what payment % is for does not change', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;

-- Money on its way back. The id is the provider's idempotency key and metadata: looked up before anything is made.
CREATE TABLE refund (
    id uuid PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES payment ON DELETE RESTRICT,
    order_id uuid REFERENCES orders ON DELETE RESTRICT,  -- none for money that never became an order
    request_key text CONSTRAINT refund_once_per_request UNIQUE CHECK (length(request_key) BETWEEN 16 AND 64),
    amount bigint NOT NULL CHECK (amount >= 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    reason text NOT NULL
        CHECK (reason IN ('REQUESTED', 'EVENT_CHANGED', 'DUPLICATE', 'FRAUDULENT', 'GOODWILL', 'NO_SEATS', 'OUTSIDE')),
    note text NOT NULL DEFAULT '',
    seats_return boolean NOT NULL DEFAULT false,  -- whether its seats go back on sale once the provider has agreed
    status text NOT NULL DEFAULT 'REQUESTED' CHECK (status IN ('REQUESTED', 'PENDING', 'SUCCEEDED', 'FAILED')),
    reference text UNIQUE,
    last_error text,
    attempts integer NOT NULL DEFAULT 0,
    next_check_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (reference IS NOT NULL OR status IN ('REQUESTED', 'FAILED') OR amount = 0)
);
CREATE INDEX refund_of_payment ON refund (payment_id);
CREATE INDEX refund_of_order ON refund (order_id);
CREATE INDEX refund_to_be_seen ON refund (created_at) WHERE status = 'FAILED' OR reason = 'OUTSIDE';
CREATE INDEX refund_unsettled ON refund (next_check_at) WHERE status IN ('REQUESTED', 'PENDING');

CREATE FUNCTION guard_refund() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    taken bigint;
    others bigint;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN (
            ('REQUESTED', 'PENDING'), ('REQUESTED', 'SUCCEEDED'), ('REQUESTED', 'FAILED'),
            ('PENDING', 'SUCCEEDED'), ('PENDING', 'FAILED'), ('SUCCEEDED', 'FAILED')
        ) THEN
            RAISE EXCEPTION 'refund %: % does not become %', OLD.id, OLD.status, NEW.status
                USING ERRCODE = 'check_violation';
        END IF;
        IF (NEW.id, NEW.payment_id, NEW.order_id, NEW.request_key, NEW.amount, NEW.currency, NEW.reason)
           IS DISTINCT FROM
           (OLD.id, OLD.payment_id, OLD.order_id, OLD.request_key, OLD.amount, OLD.currency, OLD.reason)
           OR (OLD.reference IS NOT NULL AND NEW.reference IS DISTINCT FROM OLD.reference) THEN
            RAISE EXCEPTION 'what refund % gives back does not change', OLD.id USING ERRCODE = 'check_violation';
        END IF;
        NEW.updated_at := clock_timestamp();
        RETURN NEW;
    END IF;
    -- The payment's lock first, the sum after it: two refunds at once cannot slip past each other.
    SELECT captured INTO taken FROM payment WHERE id = NEW.payment_id FOR NO KEY UPDATE;
    IF NOT EXISTS (SELECT 1 FROM payment AS p LEFT JOIN orders AS o ON o.payment_id = p.id
                   WHERE p.id = NEW.payment_id AND o.id IS NOT DISTINCT FROM NEW.order_id
                     AND (o.id IS NULL OR o.currency = NEW.currency)) THEN
        RAISE EXCEPTION 'refund % is not of what payment % was for', NEW.id, NEW.payment_id
            USING ERRCODE = 'check_violation';
    END IF;
    SELECT coalesce(sum(amount), 0) INTO others FROM refund WHERE payment_id = NEW.payment_id AND status <> 'FAILED';
    IF taken IS NULL OR (NEW.status <> 'FAILED' AND others + NEW.amount > taken) THEN
        RAISE EXCEPTION 'payment % took %, % has gone back: not % more', NEW.payment_id, taken, others, NEW.amount
            USING ERRCODE = 'check_violation', CONSTRAINT = 'refund_never_more_than_taken';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON refund FOR EACH ROW EXECUTE FUNCTION guard_refund();
CREATE TRIGGER guard_delete BEFORE DELETE ON refund FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- A ticket whose money goes back admits nobody; its seat is sold again only once it is `returned`, which is for ever.
ALTER TABLE ticket ADD COLUMN refund_id uuid REFERENCES refund ON DELETE RESTRICT;
ALTER TABLE ticket ADD COLUMN returned boolean NOT NULL DEFAULT false;
-- Nobody asked for this ticket: it went with the last of the money, and comes back if that turns out not to be gone.
ALTER TABLE ticket ADD COLUMN swept boolean NOT NULL DEFAULT false;
ALTER TABLE ticket ADD CONSTRAINT ticket_swept_was_refunded CHECK (refund_id IS NOT NULL OR NOT swept);
ALTER TABLE ticket ADD CONSTRAINT ticket_returned_was_refunded CHECK (refund_id IS NOT NULL OR NOT returned);
CREATE INDEX ticket_of_refund ON ticket (refund_id) WHERE refund_id IS NOT NULL;
CREATE INDEX ticket_returned ON ticket (order_item_id) WHERE returned;

CREATE OR REPLACE FUNCTION guard_ticket() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.order_id, NEW.order_item_id, NEW.position, NEW.number)
       IS DISTINCT FROM (OLD.id, OLD.order_id, OLD.order_item_id, OLD.position, OLD.number) THEN
        RAISE EXCEPTION 'ticket % stays what was bought', OLD.number USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.returned AND (NOT NEW.returned OR NEW.refund_id IS DISTINCT FROM OLD.refund_id) THEN
        RAISE EXCEPTION 'the seat of ticket % is on sale again', OLD.number USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.refund_id IS NOT NULL AND NEW.refund_id IS DISTINCT FROM OLD.refund_id
       AND (SELECT order_id FROM refund WHERE id = NEW.refund_id) IS DISTINCT FROM NEW.order_id THEN
        RAISE EXCEPTION 'refund % is of another order', NEW.refund_id USING ERRCODE = 'check_violation';
    END IF;
    IF OLD.refund_id IS NOT NULL AND NEW.refund_id IS DISTINCT FROM OLD.refund_id AND NOT OLD.swept
       AND (SELECT status FROM refund WHERE id = OLD.refund_id) <> 'FAILED' THEN
        RAISE EXCEPTION 'the money of ticket % goes back', OLD.number USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.returned AND NOT OLD.returned
       AND (SELECT status FROM refund WHERE id = NEW.refund_id) NOT IN ('PENDING', 'SUCCEEDED') THEN
        RAISE EXCEPTION 'the money of ticket % is still with us', OLD.number USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

-- The bank took money back at its holder's word.
CREATE TABLE dispute (
    id text PRIMARY KEY,
    payment_id uuid NOT NULL REFERENCES payment ON DELETE RESTRICT,
    amount bigint NOT NULL CHECK (amount >= 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    reason text NOT NULL,
    status text NOT NULL,
    respond_by timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX dispute_of_payment ON dispute (payment_id);
CREATE TRIGGER touch BEFORE UPDATE ON dispute FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER guard_delete BEFORE DELETE ON dispute FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The daily comparison: one row per run, and what did not agree until it does.
CREATE TABLE comparison (
    id uuid PRIMARY KEY,
    since timestamptz NOT NULL,
    compared integer NOT NULL DEFAULT 0,
    last_error text,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz
);
CREATE INDEX comparison_latest ON comparison (started_at DESC);

CREATE TABLE discrepancy (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    reference text NOT NULL,
    payment_id uuid REFERENCES payment ON DELETE RESTRICT,
    theirs text NOT NULL,
    ours text NOT NULL,
    found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    cleared_at timestamptz
);
CREATE UNIQUE INDEX discrepancy_open ON discrepancy (kind, reference) WHERE cleared_at IS NULL;

-- When the provider may be asked next. Not logged: losing it costs one moment's politeness.
CREATE UNLOGGED TABLE pace (
    lane text PRIMARY KEY,
    next_at timestamptz NOT NULL,
    taken_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 10);

-- A person has seen what needs no deed, such as a refund that was made elsewhere.
CREATE TABLE seen (
    id text PRIMARY KEY,  -- such as refund:… or dispute:…
    seen_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Who did what, written in the transaction that did it, and never changed.
CREATE TABLE audit_entry (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    actor_id uuid,  -- none: the house itself
    actor_name text NOT NULL,
    action text NOT NULL,
    subject_kind text NOT NULL,
    subject_id text NOT NULL,
    before jsonb NOT NULL DEFAULT '{}',
    after jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX audit_entry_of_subject ON audit_entry (subject_kind, subject_id, id DESC);
CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what has been written in % stays', TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER guard BEFORE UPDATE OR DELETE ON audit_entry FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();
