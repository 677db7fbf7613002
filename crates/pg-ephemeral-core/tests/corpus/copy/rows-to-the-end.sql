-- COPY whose rows end with the file, without a mark.
CREATE TABLE item (id int, v text);
COPY item FROM stdin;
1	one
2	two
