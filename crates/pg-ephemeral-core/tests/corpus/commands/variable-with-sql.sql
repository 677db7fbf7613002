-- A variable holds parts of SQL with semicolons and quotes.
\set columns 'id int, v text DEFAULT ''a;b'''
\set two 'INSERT INTO item VALUES (1); INSERT INTO item VALUES (2);'
CREATE TABLE item (:columns);
:two
\set body 'BEGIN RETURN \'x\'; END'
\echo :body
CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS :'body';
