-- \gset finds no row.
CREATE TABLE item (id int);
SELECT id FROM item
\gset
INSERT INTO item VALUES (1);
