-- The audit can be searched, read by event and by order, and rewritten by nobody. Events have a picture of their own.

ALTER TABLE audit_entry
    ADD COLUMN event_id uuid,
    ADD COLUMN order_id uuid,
    ADD COLUMN words text NOT NULL DEFAULT '';  -- what a search looks at: folded, one blank between two

ALTER TABLE audit_entry DISABLE TRIGGER guard;
UPDATE audit_entry SET
    event_id = CASE subject_kind
        WHEN 'event' THEN subject_id::uuid
        WHEN 'ticket_type' THEN coalesce(
            (SELECT t.event_id FROM ticket_type AS t WHERE t.id::text = subject_id),
            coalesce(after ->> 'event', before ->> 'event')::uuid)
        WHEN 'order' THEN (SELECT o.event_id FROM orders AS o WHERE o.id::text = subject_id)
        WHEN 'payment' THEN (SELECT c.event_id FROM payment AS p JOIN checkout AS c ON c.id = p.checkout_id
                             WHERE p.id::text = subject_id)
        WHEN 'refund' THEN (SELECT c.event_id FROM refund AS r JOIN payment AS p ON p.id = r.payment_id
                            JOIN checkout AS c ON c.id = p.checkout_id WHERE r.id::text = subject_id)
    END,
    order_id = CASE subject_kind
        WHEN 'order' THEN (SELECT o.id FROM orders AS o WHERE o.id::text = subject_id)
        WHEN 'payment' THEN (SELECT o.id FROM payment AS p JOIN orders AS o ON o.checkout_id = p.checkout_id
                             WHERE p.id::text = subject_id)
        WHEN 'refund' THEN (SELECT o.id FROM refund AS r JOIN payment AS p ON p.id = r.payment_id
                            JOIN orders AS o ON o.checkout_id = p.checkout_id WHERE r.id::text = subject_id)
    END,
    words = btrim(lower(regexp_replace(concat_ws(' ', actor_name, action, before, after), '[^A-Za-z0-9]+', ' ', 'g')));
ALTER TABLE audit_entry ENABLE TRIGGER guard;

-- Words are cut into lexemes by us and by nobody's dictionary, so an order number is found as it is written.
CREATE INDEX audit_entry_words ON audit_entry USING gin (array_to_tsvector(string_to_array(words, ' ')));
CREATE INDEX audit_entry_of_event ON audit_entry (event_id, id DESC) WHERE event_id IS NOT NULL;
CREATE INDEX audit_entry_of_order ON audit_entry (order_id, id DESC) WHERE order_id IS NOT NULL;
CREATE INDEX audit_entry_of_actor ON audit_entry (actor_id, id DESC);
CREATE INDEX audit_entry_by_day ON audit_entry (created_at);

CREATE TRIGGER guard_truncate BEFORE TRUNCATE ON audit_entry FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting();

-- An uploaded cover has a name, the hash of its pictures; none: the poster is drawn, and `cover_seed` says which one.
ALTER TABLE event
    ADD COLUMN cover text CHECK (cover ~ '^[0-9a-f]{32}$'),
    ADD COLUMN cover_seed integer NOT NULL DEFAULT 0 CHECK (cover_seed >= 0);

-- Only what we encoded ourselves. The bytes lie apart from the event, whose row is read all day.
CREATE TABLE event_cover (
    event_id uuid PRIMARY KEY REFERENCES event ON DELETE RESTRICT,
    large bytea NOT NULL CHECK (octet_length(large) BETWEEN 1 AND 4000000),    -- WebP, at most 1600 × 1200
    small bytea NOT NULL CHECK (octet_length(small) BETWEEN 1 AND 2000000),    -- WebP, at most 800 × 600
    shared bytea NOT NULL CHECK (octet_length(shared) BETWEEN 1 AND 2000000),  -- JPEG, 1200 × 630
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- Pictures are compressed already.
ALTER TABLE event_cover
    ALTER COLUMN large SET STORAGE EXTERNAL,
    ALTER COLUMN small SET STORAGE EXTERNAL,
    ALTER COLUMN shared SET STORAGE EXTERNAL;
