-- The last line has a semicolon but no line end.
CREATE TABLE item (id int);
INSERT INTO item VALUES (1);