CREATE VIEW rental.customer_list AS
    SELECT c.customer_id, c.name, a.street, city.name AS city, country.name AS country,
        CASE WHEN c.active THEN 'active' ELSE '' END AS notes
    FROM rental.customer c
    JOIN rental.address a USING (address_id)
    JOIN rental.city USING (city_id)
    JOIN rental.country USING (country_id);

CREATE VIEW rental.film_list AS
    SELECT f.film_id, f.title, f.rating, rental.text_list(a.first_name || ' ' || a.last_name ORDER BY a.actor_id) AS actors
    FROM rental.film f LEFT JOIN rental.film_actor fa USING (film_id) LEFT JOIN rental.actor a USING (actor_id)
    GROUP BY f.film_id;

CREATE RECURSIVE VIEW rental.category_path (category_id, path) AS
    SELECT category_id, name FROM rental.category WHERE parent_id IS NULL
    UNION ALL
    SELECT c.category_id, p.path || ' / ' || c.name FROM rental.category c JOIN category_path p ON c.parent_id = p.category_id;

CREATE MATERIALIZED VIEW reports.sales_by_store AS
    SELECT i.store_id, date_trunc('month', p.paid AT TIME ZONE 'UTC') AS month, sum(p.amount) AS total
    FROM rental.payment p JOIN rental.rental r USING (rental_id) JOIN rental.inventory i USING (inventory_id)
    GROUP BY 1, 2 ORDER BY 1, 2
WITH NO DATA;
CREATE UNIQUE INDEX ON reports.sales_by_store (store_id, month);

CREATE RULE no_removal AS ON DELETE TO rental.audit DO INSTEAD NOTHING;
ALTER TABLE rental.customer ENABLE ROW LEVEL SECURITY;
CREATE ROLE rental_reader;
CREATE POLICY own_rows ON rental.customer FOR SELECT TO rental_reader USING (active);
GRANT USAGE ON SCHEMA rental, reports TO rental_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA rental TO rental_reader;
