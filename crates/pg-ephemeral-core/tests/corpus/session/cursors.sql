-- Cursors are read within a transaction, and after it when they are declared WITH HOLD.
CREATE TABLE number (n int);
INSERT INTO number SELECT generate_series(1, 10);
BEGIN;
DECLARE held CURSOR WITH HOLD FOR SELECT n FROM number ORDER BY n;
DECLARE other CURSOR FOR SELECT n FROM number ORDER BY n FOR UPDATE;
FETCH 3 FROM other;
UPDATE number SET n = n * 100 WHERE CURRENT OF other;
CLOSE other;
COMMIT;
MOVE 4 IN held;
FETCH NEXT FROM held \gset
CREATE TABLE found (n int);
INSERT INTO found VALUES (:n);
CLOSE held;
