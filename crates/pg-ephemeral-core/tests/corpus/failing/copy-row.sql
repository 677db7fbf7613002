-- A row of COPY has a value of the wrong type.
CREATE TABLE item (id int, v text);
COPY item FROM stdin;
1	one
2	two
three	3
4	four
\.
