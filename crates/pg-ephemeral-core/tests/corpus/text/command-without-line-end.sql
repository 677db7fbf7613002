-- The last line is a command without a line end.
CREATE TABLE item (id int);
INSERT INTO item VALUES (1)
\g