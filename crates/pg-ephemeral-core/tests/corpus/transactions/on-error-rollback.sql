-- With ON_ERROR_ROLLBACK psql undoes only the failing statement of a transaction.
CREATE TABLE item (id int PRIMARY KEY);
\set ON_ERROR_STOP off
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO item VALUES (1);
INSERT INTO item VALUES (1);
INSERT INTO item VALUES (2);
COMMIT;
\unset ON_ERROR_ROLLBACK
\set ON_ERROR_STOP on
INSERT INTO item VALUES (3);
