-- A query that \gset reads is the last thing of the file.
CREATE TABLE item (id int);
INSERT INTO item VALUES (1) RETURNING id
\gset
