-- Variables of psql as a word, a quoted text and a quoted name.
\set size 12
\set text 'it''s; a "text"'
\set name 'My "odd" table'
\set joined :size '-' :size
CREATE TABLE :"name" (id int DEFAULT :size, v text);
INSERT INTO :"name" VALUES (:size, :'text'), (:size + 1, :'joined');
INSERT INTO :"name" (v) VALUES (':size stays'), (':''size''');
SELECT '{1,2,3}'::int[] AS a \gset
INSERT INTO :"name" (v) SELECT (:'a'::int[])[1:2]::text;
\set size
INSERT INTO :"name" VALUES (1:size, 'nothing');
\unset size
SELECT :{?size} AS set, :{?text} AS other \gset
INSERT INTO :"name" (v) VALUES (:'set' || :'other');
