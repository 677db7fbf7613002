-- A file from an editor on Windows: byte order mark, CR LF, includes, COPY and no end of the last line.
\set name 'é'
CREATE TABLE item (v text);
\i parts/first.sql
COPY item FROM stdin;
row
\.
CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$
  SELECT 'a;'
$$;
INSERT INTO item VALUES (:'name')