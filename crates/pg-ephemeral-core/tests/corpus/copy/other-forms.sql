-- COPY with other delimiters and NULLs, in the old syntax and with a query's options.
CREATE TABLE item (id int DEFAULT 99, v text);
COPY item FROM stdin DELIMITER ';' NULL 'none';
1;a, b
2;none
\.
copy public.item(v) from stdin with null as '';

x
\.
COPY item FROM stdin WITH (DELIMITER '|', NULL '') WHERE id > 3;
3|left out
4|taken
\.
COPY item FROM STDIN (ENCODING 'LATIN1');
5	cafÃ©
\.
