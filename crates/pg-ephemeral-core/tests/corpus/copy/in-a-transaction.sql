-- COPY within transactions: one is committed, one rolled back.
BEGIN;
CREATE TABLE item (id int);
COPY item FROM stdin (FREEZE);
1
2
\.
COMMIT;
BEGIN;
COPY item FROM stdin;
3
\.
ROLLBACK;
COPY item FROM stdin;
4
\.
