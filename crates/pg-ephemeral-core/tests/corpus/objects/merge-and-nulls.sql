-- MERGE and UNIQUE NULLS NOT DISTINCT (PostgreSQL 15 and later).
CREATE TABLE stock (item text, n int, UNIQUE NULLS NOT DISTINCT (item));
INSERT INTO stock VALUES ('a', 1), (NULL, 2);
MERGE INTO stock s USING (VALUES ('a', 5), ('b', 6)) AS new (item, n) ON s.item = new.item
WHEN MATCHED THEN UPDATE SET n = s.n + new.n
WHEN NOT MATCHED THEN INSERT VALUES (new.item, new.n);
CREATE VIEW shown WITH (security_invoker) AS SELECT item FROM stock;
CREATE PUBLICATION part FOR TABLE stock (item) WHERE (n > 5);
