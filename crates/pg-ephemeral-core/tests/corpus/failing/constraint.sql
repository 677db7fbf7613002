-- A duplicate key: the server has a detail.
CREATE TABLE item (id int PRIMARY KEY);
INSERT INTO item VALUES (1);
INSERT INTO item VALUES (2); INSERT INTO item VALUES (1);
INSERT INTO item VALUES (3);
