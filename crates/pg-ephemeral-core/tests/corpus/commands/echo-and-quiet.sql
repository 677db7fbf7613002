-- ECHO prints what runs and QUIET does not.
\set ECHO all
CREATE TABLE item (id int);
\set ECHO queries
INSERT INTO item VALUES (1);
\set ECHO errors
\set QUIET on
INSERT INTO item VALUES (2);
\set ECHO none
\unset QUIET
INSERT INTO item VALUES (3);
