-- Notices, warnings and results with many rows change nothing.
CREATE TABLE IF NOT EXISTS item (id int);
CREATE TABLE IF NOT EXISTS item (id int);
DROP TABLE IF EXISTS nowhere;
DO $$ BEGIN RAISE NOTICE 'a notice'; RAISE WARNING 'a warning: line 1%line 2', E'\n'; RAISE INFO 'ERROR:  not one'; END $$;
SET client_min_messages = debug1;
SELECT n, repeat('x', 20) FROM generate_series(1, 300) n;
SET client_min_messages = warning;
INSERT INTO item VALUES (1) RETURNING id;
DO $$ BEGIN RAISE LOG 'for the server only'; END $$;
