-- Errors are passed over for a while: of statements, of COPY with its rows, and of an included file.
CREATE TABLE item (v text PRIMARY KEY);
\set ON_ERROR_STOP off
\i parts/first.sql
\i parts/first.sql
\i parts/absent.sql
COPY item FROM stdin;
first
\.
BEGIN;
INSERT INTO item VALUES ('lost');
SELECT 1/0;
COMMIT;
\nonsense
\set ON_ERROR_STOP on
\copy item from stdin
last; one
\.
