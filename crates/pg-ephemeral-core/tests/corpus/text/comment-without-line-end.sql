-- The last line is a comment without a line end.
CREATE TABLE item (id int);
INSERT INTO item VALUES (1);
-- the end