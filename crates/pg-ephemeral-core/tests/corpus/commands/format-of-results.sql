-- How results are shown is set in all ways there are; the data stays the same.
\timing on
\pset null '(null)'
\pset border 2
\pset format html
\pset pager off
\x auto
\a
\t on
\f '|'
\C 'A title; with a semicolon'
\H
CREATE TABLE item (id int, v text);
INSERT INTO item VALUES (1, NULL) RETURNING *;
\pset format csv
\pset tuples_only off
SELECT * FROM item;
\x on
\timing off
\set VERBOSITY verbose
\set SHOW_CONTEXT always
\set HIDE_TABLEAM on
SELECT * FROM item;
