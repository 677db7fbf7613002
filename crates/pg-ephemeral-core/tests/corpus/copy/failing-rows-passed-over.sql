-- A COPY that fails is passed over with all its rows, and they are not taken for SQL.
CREATE TABLE item (id int PRIMARY KEY);
\set ON_ERROR_STOP off
COPY item FROM stdin;
1
no number
DROP TABLE item;
\.
COPY nowhere FROM stdin;
\set ON_ERROR_STOP on
INSERT INTO item VALUES (2);
