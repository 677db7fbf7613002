-- With FETCH_COUNT psql reads results through a cursor.
CREATE TABLE item (id int);
\set FETCH_COUNT 10
\o /dev/null
SELECT generate_series(1, 95);
WITH added AS (INSERT INTO item SELECT generate_series(1, 30) RETURNING id) SELECT * FROM added;
\o
\unset FETCH_COUNT
INSERT INTO item VALUES (31);
