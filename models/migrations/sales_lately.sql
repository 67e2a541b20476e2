-- What Today and an event's live desk look at: the latest visits of an event, the latest sales of the house, and the
-- latest refunds. Each is read from its newest end, however much lies behind it.
DROP INDEX checkout_of_event;
CREATE INDEX checkout_of_event ON checkout (event_id, created_at DESC);
CREATE INDEX refund_latest ON refund (created_at DESC);
