-- COPY without a row, and COPY into a table without columns.
CREATE TABLE item (id int);
CREATE TABLE bare ();
COPY item FROM stdin;
\.
COPY bare FROM stdin;


\.
COPY item (id) FROM stdin;
1
\.


COPY item FROM stdin; 
2
\.
