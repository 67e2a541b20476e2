-- Selling at the desk: orders that were paid elsewhere, or cost their guest nothing. And tickets that are sent again.

-- 'manual': paid in cash, by transfer, at a terminal; somebody at the desk says so. 'complimentary': a gift.
ALTER TABLE payment DROP CONSTRAINT payment_provider_check;
ALTER TABLE payment ADD CONSTRAINT payment_provider_check
    CHECK (provider IN ('stripe', 'free', 'manual', 'complimentary'));
ALTER TABLE payment DROP CONSTRAINT payment_check;
ALTER TABLE payment ADD CONSTRAINT payment_amount_of_provider
    CHECK (CASE WHEN provider IN ('free', 'complimentary') THEN amount = 0 ELSE amount > 0 END);
ALTER TABLE payment ADD COLUMN method text CHECK (method IN ('cash', 'transfer', 'terminal', 'other'));
ALTER TABLE payment ADD COLUMN note text NOT NULL DEFAULT '';
ALTER TABLE payment ADD CONSTRAINT payment_by_hand_says_how CHECK ((provider = 'manual') = (method IS NOT NULL));

-- Money that no provider moves: whoever took it gives it back, and what is written down is done.
ALTER TABLE refund ADD COLUMN by_hand boolean NOT NULL DEFAULT false;
ALTER TABLE refund DROP CONSTRAINT refund_check;
ALTER TABLE refund ADD CONSTRAINT refund_reference_once_made
    CHECK (reference IS NOT NULL OR status IN ('REQUESTED', 'FAILED') OR amount = 0 OR by_hand);
ALTER TABLE refund ADD CONSTRAINT refund_by_hand_is_done
    CHECK (NOT by_hand OR (status = 'SUCCEEDED' AND reference IS NULL));

-- An order's page says what the provider told about it.
CREATE INDEX payment_notice_of_payment ON payment_notice (reference, created_at);

-- Somebody at the desk has the tickets of an order sent again: one mail per request.
CREATE TABLE mail_request (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders ON DELETE RESTRICT,
    request_key text NOT NULL CONSTRAINT mail_once_per_request UNIQUE CHECK (length(request_key) BETWEEN 16 AND 64),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX mail_request_of_order ON mail_request (order_id, created_at DESC);
CREATE TRIGGER guard_delete BEFORE DELETE ON mail_request FOR EACH ROW EXECUTE FUNCTION refuse_change();
