-- With AUTOCOMMIT off psql begins a transaction by itself, and what is not committed is lost at the end.
\set AUTOCOMMIT off
CREATE TABLE kept (id int);
INSERT INTO kept VALUES (1);
COMMIT;
INSERT INTO kept VALUES (2);
ROLLBACK;
INSERT INTO kept VALUES (3);
COMMIT;
INSERT INTO kept VALUES (4);
