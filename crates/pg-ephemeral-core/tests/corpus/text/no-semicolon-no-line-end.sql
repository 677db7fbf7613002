-- The last statement has neither a semicolon nor a line end.
CREATE TABLE item (id int);
INSERT INTO item VALUES (1)