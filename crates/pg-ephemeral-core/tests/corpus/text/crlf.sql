-- Lines end with CR LF, also within texts, in rows of COPY and after commands.
\set size 5
CREATE TABLE item (
  id int,
  v text
);
INSERT INTO item VALUES (:size, 'two
lines');
\if true
INSERT INTO item VALUES (6, $$a
b$$);
\endif
COPY item FROM stdin;
7	seven
8	\N
\.
\echo done
-- a comment
SELECT 9 AS nine \gset
INSERT INTO item VALUES (:nine);
