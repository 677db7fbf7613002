-- Locks of the session are gone with it.
CREATE TABLE item (id int);
SELECT pg_advisory_lock(42);
INSERT INTO item SELECT count(*) FROM pg_locks WHERE locktype = 'advisory';
BEGIN;
LOCK TABLE item IN ACCESS EXCLUSIVE MODE;
INSERT INTO item VALUES (2);
COMMIT;
BEGIN;
LOCK TABLE item;
