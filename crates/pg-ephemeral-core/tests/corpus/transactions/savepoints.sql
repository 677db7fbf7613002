-- Savepoints undo a part of a transaction.
CREATE TABLE step (id int);
BEGIN;
INSERT INTO step VALUES (1);
SAVEPOINT one;
INSERT INTO step VALUES (2);
ROLLBACK TO one;
INSERT INTO step VALUES (3);
SAVEPOINT one;
INSERT INTO step VALUES (4);
RELEASE one;
COMMIT;
