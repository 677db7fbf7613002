-- \q ends the file: what follows it does not run.
CREATE TABLE item (id int);
INSERT INTO item VALUES (1);
\q
INSERT INTO item VALUES (2);
this is not SQL;
