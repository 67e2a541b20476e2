-- The box office: events, holds, payments, orders, tickets, and the notes left for the worker.
-- Plain PostgreSQL 15. Money in minor units. Whatever the code does, the constraints below have the last word.

CREATE TABLE event (
    id uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    title text NOT NULL CHECK (btrim(title) <> ''),
    category text NOT NULL DEFAULT '',
    summary text NOT NULL DEFAULT '',
    description text NOT NULL DEFAULT '',
    location text NOT NULL DEFAULT '',
    address text NOT NULL DEFAULT '',
    city text NOT NULL DEFAULT '',
    start_date timestamptz NOT NULL,
    end_date timestamptz CHECK (end_date >= start_date),
    timezone text NOT NULL DEFAULT 'UTC',
    currency text NOT NULL DEFAULT 'EUR' CHECK (currency ~ '^[A-Z]{3}$'),
    status text NOT NULL DEFAULT 'DRAFT' CHECK (status IN ('DRAFT', 'PUBLISHED')),
    total_capacity integer NOT NULL DEFAULT 0 CHECK (total_capacity >= 0),
    held integer NOT NULL DEFAULT 0 CHECK (held >= 0),
    sold integer NOT NULL DEFAULT 0 CHECK (sold >= 0),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT event_never_oversold CHECK (held::bigint + sold <= total_capacity)
) WITH (fillfactor = 50);  -- the counters change with every hold: leave room to update in place
CREATE INDEX event_upcoming ON event (start_date) WHERE status = 'PUBLISHED';

CREATE TABLE ticket_type (
    id uuid PRIMARY KEY,
    event_id uuid NOT NULL REFERENCES event ON DELETE RESTRICT,
    name text NOT NULL CHECK (btrim(name) <> ''),
    description text NOT NULL DEFAULT '',
    price integer NOT NULL CHECK (price BETWEEN 0 AND 10000000),
    allocation integer CHECK (allocation >= 0),
    is_enabled boolean NOT NULL DEFAULT true,
    position integer NOT NULL DEFAULT 0,
    sales_start timestamptz,
    sales_end timestamptz CHECK (sales_end > sales_start),
    min_per_order integer NOT NULL DEFAULT 1 CHECK (min_per_order >= 1),
    max_per_order integer NOT NULL DEFAULT 10 CHECK (max_per_order BETWEEN min_per_order AND 100),
    held integer NOT NULL DEFAULT 0 CHECK (held >= 0),
    sold integer NOT NULL DEFAULT 0 CHECK (sold >= 0),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT ticket_type_never_oversold CHECK (held::bigint + sold <= allocation),
    UNIQUE (id, event_id)
) WITH (fillfactor = 50);
CREATE INDEX ticket_type_of_event ON ticket_type (event_id, position);

CREATE TABLE checkout (
    id uuid PRIMARY KEY,
    event_id uuid NOT NULL REFERENCES event ON DELETE RESTRICT,
    request_key text NOT NULL CONSTRAINT checkout_once_per_request UNIQUE CHECK (length(request_key) BETWEEN 16 AND 64),
    buyer_name text NOT NULL DEFAULT '',
    buyer_email text NOT NULL DEFAULT '',
    expires_at timestamptz NOT NULL,
    given_back_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (id, event_id)
);
CREATE INDEX checkout_of_event ON checkout (event_id);

CREATE TABLE reservation (
    id uuid PRIMARY KEY,
    checkout_id uuid NOT NULL,
    event_id uuid NOT NULL,
    ticket_type_id uuid NOT NULL,
    quantity integer NOT NULL CHECK (quantity BETWEEN 1 AND 100),
    unit_price integer NOT NULL CHECK (unit_price >= 0),
    status text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'EXPIRED', 'CONSUMED')),
    expires_at timestamptz NOT NULL,
    replaces uuid UNIQUE REFERENCES reservation,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (checkout_id, event_id) REFERENCES checkout (id, event_id) ON DELETE RESTRICT,
    FOREIGN KEY (ticket_type_id, event_id) REFERENCES ticket_type (id, event_id) ON DELETE RESTRICT
);
CREATE INDEX reservation_of_checkout ON reservation (checkout_id);
CREATE INDEX reservation_due ON reservation (event_id, expires_at) INCLUDE (ticket_type_id, quantity) WHERE status = 'ACTIVE';
CREATE INDEX reservation_due_anywhere ON reservation (expires_at) WHERE status = 'ACTIVE';

CREATE TABLE payment (
    id uuid PRIMARY KEY,
    checkout_id uuid NOT NULL REFERENCES checkout ON DELETE RESTRICT,
    provider text NOT NULL CHECK (provider IN ('stripe', 'free')),
    reference text,
    amount bigint NOT NULL,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    status text NOT NULL DEFAULT 'CREATING'
        CHECK (status IN ('CREATING', 'OPEN', 'CAPTURING', 'CAPTURED', 'VOIDING', 'VOIDED')),
    -- While CAPTURING the hold is pinned; this is the end it had, given back if the bank changes its mind.
    hold_ended_at timestamptz,
    last_error text,
    attempts integer NOT NULL DEFAULT 0,
    next_check_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (provider, reference),
    CHECK (CASE provider WHEN 'free' THEN amount = 0 ELSE amount > 0 END),
    CHECK (reference IS NOT NULL OR status IN ('CREATING', 'VOIDED'))
);
CREATE UNIQUE INDEX payment_one_live_per_checkout ON payment (checkout_id) WHERE status <> 'VOIDED';
CREATE INDEX payment_of_checkout ON payment (checkout_id);
CREATE INDEX payment_unsettled ON payment (next_check_at) WHERE status IN ('CREATING', 'OPEN', 'CAPTURING', 'VOIDING');

CREATE TABLE payment_notice (
    id text PRIMARY KEY,
    type text NOT NULL,
    reference text,
    payload json NOT NULL,  -- kept to the letter: jsonb would refuse some of what may be sent
    attempts integer NOT NULL DEFAULT 0,
    run_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_error text,
    handled_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX payment_notice_unhandled ON payment_notice (run_at) WHERE handled_at IS NULL;

CREATE TABLE orders (
    id uuid PRIMARY KEY,
    number text NOT NULL UNIQUE,
    event_id uuid NOT NULL,
    checkout_id uuid NOT NULL UNIQUE,
    payment_id uuid NOT NULL UNIQUE REFERENCES payment ON DELETE RESTRICT,
    status text NOT NULL DEFAULT 'PAID' CHECK (status IN ('PAID', 'COMPLETED')),
    total_quantity integer NOT NULL CHECK (total_quantity > 0),
    total_amount bigint NOT NULL CHECK (total_amount >= 0),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    payment_provider text NOT NULL,
    payment_reference text NOT NULL,
    buyer_name text NOT NULL,
    buyer_email text NOT NULL,
    completed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (payment_provider, payment_reference),
    FOREIGN KEY (checkout_id, event_id) REFERENCES checkout (id, event_id) ON DELETE RESTRICT,
    CHECK ((status = 'COMPLETED') = (completed_at IS NOT NULL))
);
CREATE INDEX orders_of_event ON orders (event_id, created_at DESC);
CREATE INDEX orders_incomplete ON orders (created_at) WHERE status = 'PAID';

CREATE TABLE order_item (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders ON DELETE RESTRICT,
    ticket_type_id uuid NOT NULL REFERENCES ticket_type ON DELETE RESTRICT,
    quantity integer NOT NULL CHECK (quantity > 0),
    unit_price integer NOT NULL CHECK (unit_price >= 0),
    line_total bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (line_total = unit_price::bigint * quantity),
    UNIQUE (order_id, ticket_type_id),
    UNIQUE (id, order_id)
);

CREATE TABLE ticket (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders ON DELETE RESTRICT,
    order_item_id uuid NOT NULL,
    position integer NOT NULL CHECK (position > 0),
    number text NOT NULL UNIQUE,
    holder_name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (order_id, position),
    FOREIGN KEY (order_item_id, order_id) REFERENCES order_item (id, order_id) ON DELETE RESTRICT
);

CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    subject uuid NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    run_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_error text,
    done_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (kind, subject)
);
CREATE INDEX outbox_due ON outbox (run_at) WHERE done_at IS NULL;

-- State machines go one way, and what was promised to a buyer does not change under them.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% may not be deleted', TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$;

CREATE FUNCTION guard_reservation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'ACTIVE' THEN
            RAISE EXCEPTION 'a reservation is born ACTIVE' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.status <> 'ACTIVE' THEN
        RAISE EXCEPTION 'reservation % is %, which is for ever', OLD.id, OLD.status USING ERRCODE = 'check_violation';
    END IF;
    IF (NEW.id, NEW.checkout_id, NEW.event_id, NEW.ticket_type_id, NEW.quantity, NEW.unit_price, NEW.replaces)
       IS DISTINCT FROM (OLD.id, OLD.checkout_id, OLD.event_id, OLD.ticket_type_id, OLD.quantity, OLD.unit_price,
        OLD.replaces) THEN
        RAISE EXCEPTION 'what reservation % holds does not change', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON reservation FOR EACH ROW EXECUTE FUNCTION guard_reservation();
CREATE TRIGGER guard_delete BEFORE DELETE ON reservation FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE FUNCTION guard_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'PAID' THEN
            RAISE EXCEPTION 'an order is born PAID' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.status = 'COMPLETED' AND NEW.status <> 'COMPLETED' THEN
        RAISE EXCEPTION 'order % is COMPLETED and never goes back', OLD.number USING ERRCODE = 'check_violation';
    END IF;
    IF (NEW.id, NEW.number, NEW.event_id, NEW.checkout_id, NEW.payment_id, NEW.total_quantity, NEW.total_amount,
        NEW.currency, NEW.payment_provider, NEW.payment_reference)
       IS DISTINCT FROM (OLD.id, OLD.number, OLD.event_id, OLD.checkout_id, OLD.payment_id, OLD.total_quantity,
        OLD.total_amount, OLD.currency, OLD.payment_provider, OLD.payment_reference) THEN
        RAISE EXCEPTION 'what order % says was paid does not change', OLD.number USING ERRCODE = 'check_violation';
    END IF;
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION guard_order();
CREATE TRIGGER guard_delete BEFORE DELETE ON orders FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE FUNCTION guard_order_item() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the lines of an order do not change' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER guard BEFORE UPDATE OR DELETE ON order_item FOR EACH ROW EXECUTE FUNCTION guard_order_item();

-- Lines and tickets come while the order is PAID; a COMPLETED one is closed. A ticket may get another holder.
CREATE FUNCTION guard_addition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM orders WHERE id = NEW.order_id AND status = 'PAID') THEN
        RAISE EXCEPTION 'order % is not open for additions', NEW.order_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard_insert BEFORE INSERT ON order_item FOR EACH ROW EXECUTE FUNCTION guard_addition();
CREATE TRIGGER guard_insert BEFORE INSERT ON ticket FOR EACH ROW EXECUTE FUNCTION guard_addition();

CREATE FUNCTION guard_ticket() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.order_id, NEW.order_item_id, NEW.position, NEW.number)
       IS DISTINCT FROM (OLD.id, OLD.order_id, OLD.order_item_id, OLD.position, OLD.number) THEN
        RAISE EXCEPTION 'ticket % stays what was bought', OLD.number USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE UPDATE ON ticket FOR EACH ROW EXECUTE FUNCTION guard_ticket();
CREATE TRIGGER guard_delete BEFORE DELETE ON ticket FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE FUNCTION guard_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'CREATING' THEN
            RAISE EXCEPTION 'a payment is born CREATING' USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.status <> NEW.status AND (OLD.status, NEW.status) NOT IN (
        ('CREATING', 'OPEN'), ('CREATING', 'VOIDED'),
        ('OPEN', 'CAPTURING'), ('OPEN', 'VOIDING'), ('OPEN', 'VOIDED'),
        ('CAPTURING', 'CAPTURED'), ('CAPTURING', 'VOIDED'),
        ('VOIDING', 'VOIDED')
    ) THEN
        RAISE EXCEPTION 'payment %: % does not become %', OLD.id, OLD.status, NEW.status USING ERRCODE = 'check_violation';
    END IF;
    IF (NEW.checkout_id, NEW.provider, NEW.amount, NEW.currency)
       IS DISTINCT FROM (OLD.checkout_id, OLD.provider, OLD.amount, OLD.currency)
       OR (OLD.reference IS NOT NULL AND NEW.reference IS DISTINCT FROM OLD.reference) THEN
        RAISE EXCEPTION 'what payment % is for does not change', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION guard_payment();
CREATE TRIGGER guard_delete BEFORE DELETE ON payment FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER touch BEFORE UPDATE ON event FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER touch BEFORE UPDATE ON ticket_type FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER touch BEFORE UPDATE ON checkout FOR EACH ROW EXECUTE FUNCTION touch();

-- Σ defined allocations ≤ X (AC T4), checked at commit so that X and allocations may change together.
-- The event's lock, then a look: two changes at once cannot slip past each other.

CREATE FUNCTION guard_allocations_of(the_event uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    allocated bigint;
    capacity integer;
BEGIN
    SELECT total_capacity INTO capacity FROM event WHERE id = the_event FOR NO KEY UPDATE;
    SELECT coalesce(sum(allocation), 0) INTO allocated FROM ticket_type WHERE event_id = the_event;
    IF allocated > capacity THEN
        RAISE EXCEPTION 'allocations add up to %, capacity is %', allocated, capacity USING ERRCODE = 'check_violation';
    END IF;
END $$;

CREATE FUNCTION guard_allocations_of_type() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM guard_allocations_of(NEW.event_id);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER guard_allocations_insert AFTER INSERT ON ticket_type
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.allocation IS NOT NULL) EXECUTE FUNCTION guard_allocations_of_type();
CREATE CONSTRAINT TRIGGER guard_allocations_update AFTER UPDATE ON ticket_type
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.allocation IS DISTINCT FROM OLD.allocation) EXECUTE FUNCTION guard_allocations_of_type();

CREATE FUNCTION guard_allocations_of_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM guard_allocations_of(NEW.id);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER guard_allocations_capacity AFTER UPDATE ON event
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN (NEW.total_capacity < OLD.total_capacity) EXECUTE FUNCTION guard_allocations_of_event();

-- What has been promised stays what it was: a type its event's, a price in its currency.

CREATE FUNCTION guard_ticket_type() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a ticket type does not move to another event' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER guard BEFORE UPDATE ON ticket_type FOR EACH ROW
    WHEN (NEW.event_id <> OLD.event_id) EXECUTE FUNCTION guard_ticket_type();

CREATE FUNCTION guard_currency() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM checkout WHERE event_id = NEW.id) THEN
        RAISE EXCEPTION 'tickets of event % have been held in %', NEW.id, OLD.currency USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER guard_currency BEFORE UPDATE ON event FOR EACH ROW
    WHEN (NEW.currency <> OLD.currency) EXECUTE FUNCTION guard_currency();
