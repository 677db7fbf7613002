-- Rows that end with CR LF in a file whose other lines end with LF.
CREATE TABLE item (id int, v text);
COPY item FROM stdin;
1	one
2	\N
3	carriage \r return
\.
COPY item FROM stdin CSV;
4,"four
lines"
5,
\.
