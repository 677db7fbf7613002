-- Commands that only print: \echo, \warn, \qecho, \d, \l, \h, \conninfo and so on.
\echo 'psql:other.sql:1: ERROR:  not one'
\echo -n no line end
\warn to standard error
\qecho to the result
CREATE TABLE item (id int PRIMARY KEY);
\d item
\dt
\d+ item
\l
\du
\df
\sf pg_get_viewdef(oid)
\conninfo
\encoding
\h CREATE TABLE
\? variables
\copyright
\errverbose
\set
INSERT INTO item VALUES (1);
