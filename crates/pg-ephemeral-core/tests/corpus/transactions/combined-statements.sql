-- Statements that are joined by \; are one message to the server, and so one transaction.
CREATE TABLE moment (at timestamptz DEFAULT now(), n int);
INSERT INTO moment (n) VALUES (1)\; INSERT INTO moment (n) VALUES (2)\; SELECT count(*) FROM moment;
INSERT INTO moment (n) VALUES (3);
CREATE TABLE found AS SELECT count(*) AS rows, count(DISTINCT at) AS times FROM moment;
DROP TABLE moment;
CREATE TABLE kept (id int PRIMARY KEY);
\set ON_ERROR_STOP off
INSERT INTO kept VALUES (1)\; INSERT INTO kept VALUES (1);
\set ON_ERROR_STOP on
BEGIN\; INSERT INTO kept VALUES (5)\; COMMIT\; INSERT INTO kept VALUES (6);
