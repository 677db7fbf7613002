-- COPY on a line with other statements, and two that are joined by \; with their rows one after the other.
CREATE TABLE a (id int); CREATE TABLE b (id int); COPY a FROM stdin; INSERT INTO b VALUES (0);
1
2
\.
INSERT INTO a VALUES (3)\; COPY a FROM stdin;
4
\.
COPY a FROM stdin \; COPY b FROM stdin \; INSERT INTO b VALUES (7);
5
\.
6
\.
copy a from stdin
\g
8
\.
