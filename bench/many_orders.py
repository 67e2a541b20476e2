"""A box office with years behind it: so many orders in so many events, made by the database itself, guards and all.

People are named as people are here; one event in ten is free; one order in fifty was sold by hand. Of the others a few
went back, whole or in part, and a few are disputed. Every event's counters are right, so `make audit` finds nothing.
"""

import asyncpg

FIRST = """Ana Luka Eva Marko Nika Jan Maja Žan Zala Tilen Neža Rok Špela Matej Tjaša Blaž Katja Aleš Petra Miha Urška
    Jure Sara Žiga Lara Anže Nina Gašper Tina Primož Jonas Lena Felix Hannah Lukas Sophie Jürgen Käthe Björn Åsa Søren
    Freja Léa Hugo Zoé Théo Chloé Émile Inês João Marta Tomás Łukasz Agnieszka Paweł Zofia Jiří Tereza Ondřej Luca
    Giulia Matteo Sofia Tom Adaeze Priya Arjun Mei Kenji Yuki Елена Иван Νίκος Ελένη Ayşe Mehmet""".split()
LAST = """Kovač Horvat Novak Zupan Krajnc Potočnik Mlakar Vidmar Kos Golob Turk Kralj Božič Korošec Bizjak Hribar Kotnik
    Rozman Kavčič Petek Kolar Žagar Weber Müller Schmidt Schäfer Köhler Groß Bernardi Rossi Ferrari Esposito Pires
    Silva Gonçalves Lindqvist Åkesson Nørgaard Sørensen Lefèvre Dubois Nowak Wiśniewski Kowalczyk Svoboda Dvořák
    Adeyemi Okafor Sharma Tanaka Suzuki Chen Иванов Петрова Παπαδόπουλος Yılmaz O’Brien Smith Jones Taylor""".split()
DOMAINS = "gmail.com gmail.com gmail.com outlook.com example.org siol.net t-online.de orange.fr wp.pl".split()
TITLES = """Winter Light|Small Data Conf|Story Slam|Patch Night|Postgres Day Alps|Sourdough at Dawn|Ink Garden|Choir by
    Candle|Late Bach|Open Stage|Film in the Yard|Jazz Cellar""".replace("\n    ", " ").split("|")

# Ids as the shop makes them, beginning with their time; letters of a number as people can read them aloud.
HELPERS = """
    CREATE TEMP TABLE wish (orders int, events int, first text[], last text[], domains text[], titles text[]);
    CREATE FUNCTION pg_temp.id_at(moment timestamptz) RETURNS uuid LANGUAGE sql VOLATILE AS $$
        SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || '7'
                || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid
    $$;
    CREATE FUNCTION pg_temp.pick(words text[], share float) RETURNS text LANGUAGE sql IMMUTABLE AS $$
        SELECT words[1 + floor(share * cardinality(words))::int]
    $$;
    CREATE FUNCTION pg_temp.number_of(n bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
        SELECT 'FY-' || substr(code, 1, 4) || '-' || substr(code, 5) FROM (
            SELECT string_agg(substr('23456789ABCDEFGHJKMNPQRSTVWXYZ', 1 + ('x' || substr(md5(n::text), 2 * i + 1, 2))
                              ::bit(8)::int % 30, 1), '' ORDER BY i) AS code FROM generate_series(0, 7) AS i
        ) AS letters
    $$;
"""

WISH = "INSERT INTO wish VALUES ($1, $2, $3, $4, $5, $6)"
STAGE = """
    CREATE TEMP TABLE stage AS
    SELECT n, pg_temp.id_at(now() - make_interval(days => 800)) AS id, gen_random_uuid() AS general,
           gen_random_uuid() AS front, n % 10 = 0 AS is_free,
           date_trunc('hour', now()) + make_interval(days => (n * 7919 % 900) - 780, hours => n % 5) AS start_date
    FROM wish CROSS JOIN LATERAL generate_series(1, events) AS n
"""
WRITE_EVENTS = """
    INSERT INTO event (id, slug, title, location, start_date, end_date, timezone, status, total_capacity, created_at)
    SELECT id, 'bench-' || n, pg_temp.pick(titles, n * 0.37 % 1) || ' ' || n, 'Old Hall', start_date,
           start_date + interval '3 hours',
           CASE n % 4 WHEN 0 THEN 'Europe/London' ELSE 'Europe/Ljubljana' END, 'PUBLISHED', 1000000,
           now() - interval '800 days'
    FROM stage CROSS JOIN wish
"""
WRITE_TYPES = """
    INSERT INTO ticket_type (id, event_id, name, price, position)
    SELECT general, id, 'General', CASE WHEN is_free THEN 0 ELSE 2400 END, 0 FROM stage
    UNION ALL SELECT front, id, 'Front row', CASE WHEN is_free THEN 0 ELSE 4800 END, 1 FROM stage
"""

# Some events are loved more than others; people buy in the last two months, most of them late.
SALES = """
    CREATE TEMP TABLE sale AS
    SELECT i, s.id AS event_id, pg_temp.id_at(at) AS checkout_id, pg_temp.id_at(at) AS payment_id,
           pg_temp.id_at(at) AS order_id, at, general_n, front_n,
           general_n + front_n AS quantity, (general_n * 2400 + front_n * 4800) * (NOT is_free)::int AS amount,
           CASE WHEN is_free THEN 'free' WHEN i % 50 = 0 THEN 'manual' ELSE 'stripe' END AS provider,
           pg_temp.number_of(i) AS number, first || ' ' || last AS buyer,
           ltrim(regexp_replace(lower(normalize(first || '.' || last, NFKD)), '[^a-z.]', '', 'g'), '.') || i % 97 || '@'
               || pg_temp.pick(domains, random()) AS email
    FROM (SELECT i, domains, 1 + floor(events * random() ^ 2.5)::int AS n, random() ^ 2 * 60 AS days,
                 pg_temp.pick(first, random()) AS first, pg_temp.pick(last, random()) AS last,
                 1 + floor(random() ^ 2 * 4)::int AS general_n, (random() < 0.2)::int AS front_n
          FROM wish CROSS JOIN LATERAL generate_series(1, orders) AS i OFFSET 0) AS d
    JOIN stage AS s ON s.n = d.n
    CROSS JOIN LATERAL (SELECT least(s.start_date, now() - make_interval(secs => i % 3600))
                               - make_interval(secs => days * 86400) AS at) AS t
    ORDER BY at
"""

# Each as the shop does it: held, paid, consumed, ordered, issued. The guards see every step.
STEPS = (
    STAGE,
    WRITE_EVENTS,
    WRITE_TYPES,
    SALES,
    "ANALYZE stage, sale, ticket_type",
    """INSERT INTO checkout (id, event_id, request_key, buyer_name, buyer_email, expires_at, created_at)
       SELECT checkout_id, event_id, 'bench-' || checkout_id, buyer, email, at + interval '15 minutes', at FROM sale""",
    """INSERT INTO reservation (id, checkout_id, event_id, ticket_type_id, quantity, unit_price, expires_at, created_at)
       SELECT pg_temp.id_at(s.at), s.checkout_id, s.event_id, t.id, q.n, t.price, s.at + interval '15 minutes', s.at
       FROM sale AS s JOIN ticket_type AS t ON t.event_id = s.event_id
       CROSS JOIN LATERAL (SELECT CASE t.position WHEN 0 THEN general_n ELSE front_n END AS n) AS q WHERE q.n > 0""",
    """INSERT INTO payment (id, checkout_id, provider, amount, currency, created_at, method)
       SELECT payment_id, checkout_id, provider, amount, 'EUR', at, CASE provider WHEN 'manual' THEN 'cash' END
       FROM sale""",
    "ANALYZE payment, reservation, checkout",
    """UPDATE payment AS p SET status = 'OPEN', reference = CASE s.provider WHEN 'stripe'
           THEN 'pi_3' || substr(md5(s.i::text), 1, 22) ELSE p.id::text END
       FROM sale AS s WHERE s.payment_id = p.id""",
    "UPDATE payment AS p SET status = 'CAPTURING' FROM sale AS s WHERE s.payment_id = p.id",
    "UPDATE payment AS p SET status = 'CAPTURED', captured = p.amount FROM sale AS s WHERE s.payment_id = p.id",
    "UPDATE reservation AS r SET status = 'CONSUMED' FROM sale AS s WHERE s.checkout_id = r.checkout_id",
    """INSERT INTO orders (id, number, event_id, checkout_id, payment_id, total_quantity, total_amount, currency,
                           payment_provider, payment_reference, buyer_name, buyer_email, created_at)
       SELECT s.order_id, s.number, s.event_id, s.checkout_id, p.id, s.quantity, s.amount, 'EUR', s.provider,
              p.reference, s.buyer, s.email, s.at
       FROM sale AS s JOIN payment AS p ON p.id = s.payment_id ORDER BY s.at""",
    """INSERT INTO order_item (id, order_id, ticket_type_id, quantity, unit_price, line_total, created_at)
       SELECT pg_temp.id_at(s.at), s.order_id, r.ticket_type_id, r.quantity, r.unit_price,
              r.quantity * r.unit_price, s.at
       FROM sale AS s JOIN reservation AS r ON r.checkout_id = s.checkout_id""",
    """INSERT INTO ticket (id, order_id, order_item_id, position, number, holder_name, created_at)
       SELECT pg_temp.id_at(s.at), s.order_id, k.item, k.position, s.number || '-' || k.position, s.buyer, s.at
       FROM sale AS s JOIN (
           SELECT order_id, i.id AS item, row_number() OVER (PARTITION BY order_id ORDER BY i.id) AS position
           FROM order_item AS i CROSS JOIN LATERAL generate_series(1, i.quantity)
       ) AS k ON k.order_id = s.order_id WHERE s.i % 1000 > 0""",
    "ANALYZE orders, order_item, ticket",
    # One in a thousand was paid a moment ago: its tickets are on their way.
    """UPDATE orders AS o SET status = 'COMPLETED', completed_at = s.at FROM sale AS s
       WHERE s.order_id = o.id AND s.i % 1000 > 0""",
    """INSERT INTO refund (id, payment_id, order_id, amount, currency, reason, status, reference, by_hand)
       SELECT gen_random_uuid(), payment_id, order_id, CASE WHEN i % 66 < 33 THEN amount ELSE amount / 3 END, 'EUR',
              'REQUESTED', 'SUCCEEDED', CASE provider WHEN 'stripe' THEN 're_3' || substr(md5(i::text), 1, 22) END,
              provider = 'manual'
       FROM sale WHERE i % 33 = 7 AND amount > 0 AND i % 1000 > 0""",
    """UPDATE ticket AS k SET refund_id = r.id FROM refund AS r JOIN orders AS o ON o.id = r.order_id
       WHERE k.order_id = o.id AND r.amount = o.total_amount""",
    """INSERT INTO dispute (id, payment_id, amount, currency, reason, status)
       SELECT 'dp_' || md5(i::text), payment_id, amount, 'EUR', 'fraudulent',
              CASE WHEN i % 2 = 0 THEN 'needs_response' ELSE 'won' END
       FROM sale WHERE i % 400 = 3 AND provider = 'stripe'""",
    """UPDATE ticket_type AS t SET sold = s.n FROM (
           SELECT ticket_type_id, sum(quantity)::int AS n FROM order_item GROUP BY 1) AS s
       WHERE s.ticket_type_id = t.id""",
    """UPDATE event AS e SET sold = s.n FROM (
           SELECT event_id, sum(sold)::int AS n FROM ticket_type GROUP BY 1) AS s WHERE s.event_id = e.id""",
    "DROP TABLE sale, stage, wish",
)


async def fill(database: asyncpg.Connection, *, orders: int, events: int) -> None:
    """Whole or not at all. 100,000 orders take a minute; it waits as long as it takes."""
    async with database.transaction():
        await database.execute("SET LOCAL statement_timeout = 0")
        await database.execute(HELPERS)
        await database.execute(WISH, orders, events, FIRST, LAST, DOMAINS, TITLES)
        for sql in STEPS:
            await database.execute(sql)
    await database.execute("VACUUM (ANALYZE)")
