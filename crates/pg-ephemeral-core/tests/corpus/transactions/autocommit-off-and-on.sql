-- AUTOCOMMIT is turned off for a part of the file only.
CREATE TABLE step (id int);
\set AUTOCOMMIT off
INSERT INTO step VALUES (1);
INSERT INTO step VALUES (2);
COMMIT;
\set AUTOCOMMIT on
INSERT INTO step VALUES (3);
VACUUM step;
