-- Temporary tables last to the end of the file, and are gone after it.
CREATE TEMP TABLE source (id int, name text);
INSERT INTO source VALUES (1, 'a'), (2, 'b');
CREATE TEMPORARY TABLE brief (id int) ON COMMIT DELETE ROWS;
INSERT INTO brief VALUES (1);
CREATE TABLE item AS SELECT s.*, (SELECT count(*) FROM brief) AS brief FROM source s;
CREATE TEMP SEQUENCE number START 7;
INSERT INTO item VALUES (nextval('number'), 'c', 0);
CREATE FUNCTION pg_temp.twice(n int) RETURNS int LANGUAGE sql AS $$ SELECT n * 2 $$;
INSERT INTO item VALUES (pg_temp.twice(21), 'd', 0);
