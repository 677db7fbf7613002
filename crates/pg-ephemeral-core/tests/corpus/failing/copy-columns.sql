-- A row of COPY in CSV format has too few columns.
CREATE TABLE item (id int, v text);
COPY item FROM stdin WITH (FORMAT csv, HEADER);
id,v
1,one
2
\.
INSERT INTO item VALUES (3, 'never');
