-- Statements that refuse to run in a transaction block: VACUUM, REINDEX, CLUSTER, ALTER SYSTEM, CREATE DATABASE.
CREATE TABLE item (id int PRIMARY KEY, name text);
INSERT INTO item SELECT n, 'item ' || n FROM generate_series(1, 50) n;
DELETE FROM item WHERE id % 5 = 0;
VACUUM;
VACUUM (FULL, ANALYZE) item;
CLUSTER item USING item_pkey;
REINDEX TABLE CONCURRENTLY item;
REINDEX DATABASE postgres;
CREATE DATABASE attic;
DROP DATABASE attic;
CREATE DATABASE cellar;
ALTER SYSTEM SET work_mem = '8MB';
ALTER SYSTEM RESET work_mem;
CHECKPOINT;
