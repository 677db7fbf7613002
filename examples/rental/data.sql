-- Generated rows, the same each time. `rental.scale` says how many: 1 gives about 2 MB, 57 about 100.
SET search_path TO rental;
CREATE TEMP TABLE size AS SELECT coalesce(nullif(current_setting('rental.scale', true), ''), '1')::integer AS n;

INSERT INTO language (name) VALUES ('English'), ('Italian'), ('日本語'), ('Français');
INSERT INTO country SELECT g, 'country ' || g FROM generate_series(1, 50) g;
INSERT INTO city SELECT g, 1 + g % 50, 'city ' || g FROM generate_series(1, 400) g;
INSERT INTO address (city_id, street, postal_code)
    SELECT 1 + g % 400, g || ' Main ''Street''', lpad(g::text, 5, '0') FROM size, generate_series(1, 600 * n) g;
INSERT INTO actor (first_name, last_name) SELECT 'first' || g, 'last' || g % 40 FROM generate_series(1, 200) g;
INSERT INTO category (parent_id, name) SELECT nullif(g / 4, 0), 'category ' || g FROM generate_series(1, 16) g;
INSERT INTO film (title, description, release_year, language_id, length, rating, special_features, details)
    SELECT 'film ' || g, repeat('about ' || md5(g::text) || ' ', 4), 1950 + g % 70, 1 + g % 4, 40 + g % 140,
        (enum_range(NULL::rating))[1 + g % 5], ARRAY['trailer', 'scene ' || g], jsonb_build_object('score', g % 10, 'tags', ARRAY[g, g + 1])
    FROM size, generate_series(1, 1000 * n) g;
INSERT INTO film_actor SELECT 1 + (f * 7 + k * 31) % 200, f FROM size, generate_series(1, 1000 * n) f, generate_series(1, 4) k;
INSERT INTO film_category SELECT f, 1 + f % 16 FROM size, generate_series(1, 1000 * n) f;
INSERT INTO store (store_id, address_id) VALUES (1, 1), (2, 2);
INSERT INTO staff (store_id, name, picture) SELECT 1 + g % 2, 'staff ' || g, decode(md5(g::text), 'hex') FROM generate_series(1, 6) g;
UPDATE store SET manager_id = store_id;
INSERT INTO customer (store_id, address_id, name, email, active)
    SELECT 1 + g % 2, g, 'customer ' || g, g || '@example.org', g % 9 <> 0 FROM size, generate_series(1, 600 * n) g;
INSERT INTO inventory (film_id, store_id) SELECT 1 + g % (1000 * n), 1 + g % 2 FROM size, generate_series(1, 4000 * n) g;
INSERT INTO rental (inventory_id, customer_id, staff_id, rented, returned)
    SELECT 1 + g % (4000 * n), 1 + g % (600 * n), 1 + g % 6, r, CASE WHEN g % 11 > 0 THEN r + interval '3 days' END
    FROM size, generate_series(1, 8000 * n) g, LATERAL (SELECT timestamptz '2024-01-01 00:00+00' + g % 8700 * interval '1 hour') AS at(r);
INSERT INTO payment (rental_id, customer_id, amount, paid)
    SELECT rental_id, customer_id, (rental_id % 900)::numeric / 100, rented FROM rental ORDER BY rental_id;
INSERT INTO review (film_id, customer_id, stars, body)
    SELECT 1 + g % (1000 * n), 1 + g % (600 * n), 1 + g % 5, repeat(md5(g::text), 1 + g % 5) FROM size, generate_series(1, 4000 * n) g;
INSERT INTO reservation SELECT 1 + g % 3, tstzrange(t, t + interval '1 hour')
    FROM generate_series(1, 90) g, LATERAL (SELECT timestamptz '2025-01-01 00:00+00' + g * interval '1 day') AS at(t);
CALL close_rental(11, '2024-12-31 00:00+00');
REFRESH MATERIALIZED VIEW reports.sales_by_store;
SELECT setval('actor_actor_id_seq', 5000);
ANALYZE;
