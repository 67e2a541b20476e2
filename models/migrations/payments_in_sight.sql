-- What no page said so far: notices that were refused at the door, and payments that somebody changed at the provider,
-- which come to rest within a second and are then nobody's matter unless somebody is shown them.

-- A count, not the notices: whoever is refused is nobody we know.
CREATE TABLE refused_notice (
    reason text PRIMARY KEY,
    times bigint NOT NULL CHECK (times > 0),
    last_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX payment_amount_differs ON payment (created_at) WHERE last_error = 'amount_differs';
