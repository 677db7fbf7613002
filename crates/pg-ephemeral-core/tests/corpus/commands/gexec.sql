-- \gexec runs each value of a result as a statement; NULL is left out.
CREATE TABLE log (at int, v text);
SELECT format('CREATE TABLE part_%s (id int)', n), format('INSERT INTO log VALUES (%s, %L)', n, 'a;b') FROM generate_series(1, 3) n \gexec
SELECT NULL, 'INSERT INTO log VALUES (4, ''from gexec''); INSERT INTO log VALUES (5, ''the second of two'')'
\gexec
\set ECHO_HIDDEN on
SELECT 'CREATE INDEX CONCURRENTLY ON log (at)' \gexec
SELECT 'DROP TABLE ' || quote_ident(tablename) FROM pg_tables WHERE tablename = 'part_2' \gexec
